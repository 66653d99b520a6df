"""Recordings cut by place and count, counted from a new start, or divided into many files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from event_tools.atomic import replacing
from event_tools.convert import Conversion, Counted
from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.files import write_as
from event_tools.filters import crop, shift_time
from event_tools.jobs import Task
from event_tools.settling import first_at

MAX_PARTS = 100_000  # as many as five digits can number
FIRST = "-00000"


@dataclass(frozen=True)
class Cut:
    """What is kept of a recording, piece by piece: a window of the sensor, then events first to first + number.

    window: (left, top, width, height); zero: times count from start_us, or from the first event kept.
    """

    window: tuple[int, int, int, int] | None = None
    first: int = 0
    number: int | None = None
    zero: bool = False
    start_us: int | None = None

    def __call__(self, parts: Iterator[Events], name: str = "") -> Iterator[Events]:
        """The pieces that are kept; one empty one at least. Raises ValueError for a window outside the sensor."""
        origin, seen, given, part = self.start_us, 0, False, None
        stop = None if self.number is None else self.first + self.number
        for part in parts:
            part = part if self.window is None else crop(part, *self.window)
            low = max(0, self.first - seen)
            high = len(part) if stop is None else max(0, min(len(part), stop - seen))
            seen += len(part)
            part = part[min(low, len(part)) : high]
            if len(part):
                origin = int(part.t[0]) if origin is None else origin
                given = True
                yield shift_time(part, -origin) if self.zero else part
            if stop is not None and seen >= stop:
                break
        if not given and part is not None:
            yield part[:0]


@dataclass(frozen=True)
class Split:
    """Work on a task: `task.item` in parts of so many events, or so many microseconds, as files -00000, -00001, ...

    `task.out` is the name of part 0, which appears last: where it is there, all are. A failure takes back the others.
    zero: the times of a part count from its own start. Parts may be larger than memory.
    """

    conversion: Conversion
    events: int | None = None
    microseconds: int | None = None
    zero: bool = False

    def __call__(self, task: Task) -> dict[str, int]:
        """Raises EventFileError."""
        made: list[Path] = []
        total = 0
        try:
            with self.conversion.opened(task) as (pieces, writing):
                task.out.parent.mkdir(parents=True, exist_ok=True)
                with replacing(task.out) as first:
                    for number, group in groupby(self._numbered(pieces, task.item.place), itemgetter(0)):
                        out = first if number == 0 else _named(task.out, number)
                        if number:
                            made.append(out)
                        counted = Counted(piece for _, piece in group)
                        write_as(out, counted, self.conversion.target, writing)
                        total += counted.events
        except BaseException as error:
            for path in made:
                path.unlink(missing_ok=True)
            if isinstance(error, EventFileError) and error.path.name.startswith(f".{task.out.name}."):
                raise EventFileError(task.out, error.reason, error.offset) from None
            raise
        return {"events": total, "parts": len(made) + 1}

    def _numbered(self, pieces: Iterator[Events], place: Path) -> Iterator[tuple[int, Events]]:
        """(number of the part, piece of it), silent parts in one empty piece. Raises EventFileError for too many."""
        cut = self._by_count(pieces) if self.events is not None else self._by_time(pieces, self.microseconds or 1)
        last = -1
        for number, origin, piece in cut:
            if number >= MAX_PARTS:
                raise EventFileError(place, f"expected up to {MAX_PARTS} parts, there are more; take larger ones")
            for silent in range(last + 1, number):
                yield silent, piece[:0]
            last = number
            yield number, shift_time(piece, -origin) if self.zero else piece

    def _by_count(self, pieces: Iterator[Events]) -> Iterator[tuple[int, int, Events]]:
        """(number of the part, time of its first event, piece of it)."""
        size, number, taken, origin, piece = self.events or 1, 0, 0, 0, None
        for piece in pieces:
            rest = piece
            while len(rest):
                if taken == size:
                    number, taken = number + 1, 0
                origin = int(rest.t[0]) if taken == 0 else origin
                part, rest = rest[: size - taken], rest[size - taken :]
                taken += len(part)
                yield number, origin, part
        if piece is not None and not number and not taken:
            yield 0, 0, piece

    def _by_time(self, pieces: Iterator[Events], window_us: int) -> Iterator[tuple[int, int, Events]]:
        """(number of the part, time that it begins at, piece of it)."""
        start, given, piece = self.conversion.reading.start_us, False, None
        for piece in pieces:
            rest = piece
            while len(rest):
                start = int(rest.t[0]) if start is None else start
                number = (int(rest.t[0]) - start) // window_us
                begin = start + number * window_us
                stop = first_at(rest.t, begin + window_us)
                yield number, begin, rest[:stop]
                rest, given = rest[stop:], True
        if piece is not None and not given:
            yield 0, 0, piece


def _named(first: Path, number: int) -> Path:
    """The file of another part than the first."""
    return first.with_name(f"{first.stem.removesuffix(FIRST)}-{number:05}{first.suffix}")
