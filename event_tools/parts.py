"""A recording that comes in pieces, divided anew: by number of events, or by time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.settling import first_at

MAX_SILENCE = 1_000_000  # windows without an event that we are ready to give in a row


def by_count(pieces: Iterable[Events], count: int) -> Iterator[Events]:
    """Parts of `count` events, the last of what remains; one empty part for an empty recording."""
    held: list[Events] = []
    number, size = 0, (1, 1)
    given = False
    for piece in pieces:
        size = piece.sensor_size
        at = 0
        while number + len(piece) - at >= count:
            stop = at + count - number
            yield joined([*held, piece[at:stop]])
            held, number, at, given = [], 0, stop, True
        if at < len(piece):
            held.append(owned(piece[at:]))
            number += len(piece) - at
    if held or not given:
        yield joined(held) if held else Events.empty(size)


def by_time(pieces: Iterable[Events], window_us: int, path: Path, start_us: int | None = None) -> Iterator[Events]:
    """Windows of `window_us` from start_us or the first event on; silent ones are empty parts.

    Raises EventFileError, about `path`, for a silence of over a million windows.
    """
    held: list[Events] = []
    edge = None if start_us is None else start_us + window_us
    size, given = (1, 1), False
    for piece in pieces:
        size = piece.sensor_size
        at = 0
        while at < len(piece):
            if edge is None:
                edge = int(piece.t[0]) + window_us
            silent = (int(piece.t[at]) - edge) // window_us
            if silent > MAX_SILENCE:
                raise EventFileError(path, f"expected no silence of {silent} windows; give more microseconds a window")
            stop = at + first_at(piece.t[at:], edge)
            if stop == len(piece):
                break
            yield joined([*held, piece[at:stop]])
            held, at, edge, given = [], stop, edge + window_us, True
        if at < len(piece):
            held.append(owned(piece[at:]))
    if held or not given:
        yield joined(held) if held else Events.empty(size)


def joined(parts: list[Events]) -> Events:
    """One recording of parts that follow each other, with memory of its own; there must be one at least."""
    if len(parts) == 1:
        return owned(parts[0])
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("t", "x", "y", "p"))
    return Events.unchecked(*columns, parts[0].sensor_size)


def owned(events: Events) -> Events:
    """A copy, for a piece whose memory is used again."""
    return Events.unchecked(events.t.copy(), events.x.copy(), events.y.copy(), events.p.copy(), events.sensor_size)
