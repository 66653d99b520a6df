"""Several recordings of one sensor as one, in order of time; of equal times the first recording's come first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from event_tools.events import Events
from event_tools.parts import joined, owned


def merge(recordings: Sequence[Events]) -> Events:
    """All events of the recordings, sorted by time; equal times stay in the order of the recordings and within them.

    Raises ValueError for no recording and for different sensors.
    """
    if not recordings:
        raise ValueError("expected recordings to merge, got none")
    _check_sizes(recordings)
    return _sorted(joined(list(recordings)))


def merge_parts(streams: Sequence[Iterable[Events]]) -> Iterator[Events]:
    """`merge` of recordings that come in parts (as `iterate` gives them); one part of each is held at a time."""
    if not streams:
        raise ValueError("expected recordings to merge, got none")
    return _merged([iter(stream) for stream in streams])


def _merged(streams: list[Iterator[Events]]) -> Iterator[Events]:
    held: list[Events | None] = [None] * len(streams)  # None: this recording has ended
    size: tuple[int, int] | None = None
    given = False

    def refill(i: int) -> None:
        nonlocal size
        held[i] = None
        for part in streams[i]:
            size = size or part.sensor_size
            _check_sizes([part], size)
            if len(part):
                held[i] = owned(part)
                return

    for i in range(len(streams)):
        refill(i)
    while True:
        live = [(int(part.t[-1]), i) for i, part in enumerate(held) if part is not None]
        if not live:
            break
        # Up to the earliest end nothing new can come, and the first recording that ends there leads those after it.
        horizon, ending = min(live)
        pieces = []
        for i, part in enumerate(held):
            if part is None:
                continue
            cut = int(np.searchsorted(part.t, horizon, side="right" if i <= ending else "left"))
            pieces.append(part[:cut])
            held[i] = part[cut:]
        refill(ending)
        given = True
        yield _sorted(joined(pieces))
    if size is not None and not given:
        yield Events.empty(size)


def _sorted(events: Events) -> Events:
    order = np.argsort(events.t, kind="stable")
    return Events.unchecked(events.t[order], events.x[order], events.y[order], events.p[order], events.sensor_size)


def _check_sizes(recordings: Sequence[Events], size: tuple[int, int] | None = None) -> None:
    size = size or recordings[0].sensor_size
    for events in recordings:
        if events.sensor_size != size:
            raise ValueError(
                f"expected recordings of one sensor, got {size[0]}x{size[1]} and "
                f"{events.sensor_size[0]}x{events.sensor_size[1]}; crop them to one size"
            )
