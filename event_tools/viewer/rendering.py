"""Recordings as pictures, one after the other: what GIF, PNG and video show.

Picture k, from 1 on, shows the events with k * step - window <= t < k * step of every recording's clock, the latest of
a pixel on top and older ones nearer the ground, as the page does. A recording may come in parts: only the last time and
polarity of each pixel are kept, never its events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.viewer.clock import clock_start
from event_tools.viewer.colours import FAINTEST, SHADES, Colours, rgb
from event_tools.viewer.pillow import with_titles

Recording = Events | Iterable[Events] | str | Path
GROUND, PAGE, TEXT, EVENTS = 0, 1, 2, 3  # places in the colour table; from EVENTS on SHADES of OFF, then of ON
PART_EVENTS = 1 << 17
ACROSS_PX, TILE_PX = 816, (102, 480)  # aimed at: all tiles of a row, and a tile at least and at most
GAP_PX, TITLE_PX = 8, 16
MAX_SIDE_PX = 16384
MAX_SILENCE = 100_000  # pictures in a row that we are ready to make while nothing happens


class Tape:
    """One recording under way, and what its pixels last saw; times are those of its own clock."""

    def __init__(self, title: str, recording: Recording) -> None:
        self.title = title
        self._parts = _parts(recording)
        first = next(self._parts, None)
        if first is None:
            raise ValueError("expected a recording in parts, got none; give one empty part for its sensor's size")
        self.sensor_size = first.sensor_size
        width, height = self.sensor_size
        self._time = np.full(width * height, -1, np.int64)
        self._polarity = np.zeros(width * height, np.uint8)
        self._part, self._at, self._start = first, 0, 0
        self._last = int(first.t[-1]) if len(first) else None
        self._skip_empty()
        if not self.ended:
            self._start = clock_start(int(self._part.t[0]))

    @property
    def ended(self) -> bool:
        """Whether all events have been taken in."""
        return self._at == len(self._part)

    @property
    def next_us(self) -> int:
        """The time of the first event that has not been taken in."""
        return int(self._part.t[self._at]) - self._start

    def advance(self, now: int) -> None:
        """Take in the events before now."""
        while not self.ended:
            t = self._part.t[self._at :]
            stop = self._at + int(np.searchsorted(t, self._start + now))
            part = self._part[self._at : stop]
            pixels = part.y.astype(np.int64) * self.sensor_size[0] + part.x
            # Assignment to repeated places keeps the last value, the latest event.
            self._time[pixels] = part.t - self._start
            self._polarity[pixels] = part.p
            self._at = stop
            if not self.ended:
                return
            self._skip_empty()

    def picture(self, now: int, window: int) -> NDArray[np.uint8]:
        """(H, W) places in the colour table."""
        width, height = self.sensor_size
        picture = np.full(width * height, GROUND, np.uint8)
        shown = np.flatnonzero(self._time >= max(0, now - window))
        fresh = (self._time[shown] - (now - window)) * SHADES // window
        picture[shown] = EVENTS + self._polarity[shown] * SHADES + fresh
        return picture.reshape(height, width)

    def _skip_empty(self) -> None:
        """On to the next part that has events, once this one is used up."""
        while self.ended and (part := next(self._parts, None)) is not None:
            if part.sensor_size != self.sensor_size:
                raise ValueError(f"expected parts of one sensor, got {self.sensor_size} and then {part.sensor_size}")
            if len(part) and self._last is not None and part.t[0] < self._last:
                raise ValueError(f"expected parts in order of time, {part.t[0]} us follows {self._last} us")
            self._part, self._at = part, 0
            self._last = int(part.t[-1]) if len(part) else self._last


class Film:
    """Recordings side by side, as pictures in one colour table.

    size: (width, height); table: (n, 3) uint8 colours. Iterating walks the recordings, once. Raises ValueError.
    """

    def __init__(
        self,
        recordings: Recording | Sequence[tuple[str, Recording] | str | Path],
        step_us: int,
        window_us: int,
        scale: int | None,
        colours: Colours,
    ) -> None:
        if step_us < 1 or window_us < 1 or (scale is not None and scale < 1):
            raise ValueError(f"expected step_us, window_us and scale of 1 or more, got {step_us}, {window_us}, {scale}")
        self.step, self.window, self.table = step_us, window_us, _table(colours)
        self._tapes = [Tape(title, recording) for title, recording in titled(recordings)]
        sizes = [tape.sensor_size for tape in self._tapes]
        self.columns = _columns(len(sizes))
        longest = max(max(size) for size in sizes)
        tile = min(max(ACROSS_PX // self.columns, TILE_PX[0]), TILE_PX[1])
        self.scale = scale or max(1, round(tile / longest))
        self._boxes, self.size = self._layout(sizes)
        if max(self.size) > MAX_SIDE_PX:
            raise ValueError(
                f"expected pictures of up to {MAX_SIDE_PX} pixels a side, got {self.size[0]}x{self.size[1]}; "
                "give a smaller scale or fewer recordings"
            )

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """(H, W) uint8 places in the table, picture after picture until no event is left."""
        empty = self._with_titles(np.full(self.size[::-1], PAGE, np.uint8))
        now = 0
        while True:
            now += self.step
            picture = empty.copy()
            for tape, (top, left) in zip(self._tapes, self._boxes, strict=True):
                tape.advance(now)
                tile = tape.picture(now, self.window).repeat(self.scale, 0).repeat(self.scale, 1)
                picture[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
            yield picture
            coming = [tape.next_us for tape in self._tapes if not tape.ended]
            if not coming:
                return
            if (silent := (min(coming) - now) // self.step) > MAX_SILENCE:
                raise ValueError(f"expected no silence of {silent} pictures, at {now} us; give a larger step_us")

    def _layout(self, sizes: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], tuple[int, int]]:
        """Top left corners of the tiles, and (width, height) of all: even, as video needs them."""
        width, height = (self.scale * max(sides) for sides in zip(*sizes, strict=True))
        head = TITLE_PX if any(tape.title for tape in self._tapes) else 0
        down, across = height + head + GAP_PX, width + GAP_PX
        boxes = [
            (GAP_PX + i // self.columns * down + head, GAP_PX + i % self.columns * across) for i in range(len(sizes))
        ]
        rows = -(-len(sizes) // self.columns)
        whole = self.columns * across + GAP_PX, rows * down + GAP_PX
        return boxes, (whole[0] + whole[0] % 2, whole[1] + whole[1] % 2)

    def _with_titles(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if not any(tape.title for tape in self._tapes):
            return picture
        places = [
            (tape.title, (left, top - TITLE_PX + 2)) for tape, (top, left) in zip(self._tapes, self._boxes, strict=True)
        ]
        return with_titles(picture, places, self.scale * max(tape.sensor_size[0] for tape in self._tapes), TEXT)


def titled(recordings: Recording | Sequence[tuple[str, Recording] | str | Path]) -> list[tuple[str, Recording]]:
    """Recordings with their titles: a file has its name, a single recording none. ValueError for anything else."""
    if isinstance(recordings, (Events, str, Path)) or not isinstance(recordings, Sequence):
        return [("", recordings)]  # type: ignore[list-item]
    if not recordings:
        raise ValueError("expected at least one recording to show, got none")
    if all(isinstance(item, Events) for item in recordings):
        return [("", recordings)]  # type: ignore[list-item]
    found: list[tuple[str, Recording]] = []
    for item in recordings:
        if isinstance(item, (str, Path)):
            found.append((Path(item).name, item))
        elif isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
            found.append(item)
        else:
            raise ValueError(f"expected (title, recording) or a path for each recording, got {type(item).__name__}")
    return found


def duration_us(recordings: Sequence[tuple[str, Recording]]) -> int | None:
    """The latest time on any recording's clock, None where one has to be walked to know it."""
    ends = [0]
    for _, events in recordings:
        if not isinstance(events, Events):
            return None
        if len(events):
            ends.append(int(events.t[-1]) - clock_start(int(events.t[0])))
    return max(ends)


def _parts(recording: Recording) -> Iterator[Events]:
    if isinstance(recording, Events):
        return iter([recording])
    if isinstance(recording, (str, Path)):
        from event_tools.files import iterate

        return iterate(recording, events=PART_EVENTS)
    return iter(recording)


def _columns(tiles: int) -> int:
    """As many as make the whole half as wide again as high, or one more where that leaves no gap."""
    columns = max(1, round((1.5 * tiles) ** 0.5))
    return columns + 1 if tiles % columns and tiles % (columns + 1) == 0 else columns


def _table(colours: Colours) -> NDArray[np.uint8]:
    ground = np.array(rgb(colours.ground))
    share = np.linspace(FAINTEST, 1.0, SHADES)[:, None]
    shades = [ground + share * (np.array(rgb(colour)) - ground) for colour in (colours.off, colours.on)]
    plain = np.array([rgb(colour) for colour in (colours.ground, colours.page, colours.text)])
    return np.concatenate((plain, *shades)).round().astype(np.uint8)
