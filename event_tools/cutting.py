"""Recordings cut by place and count, counted from a new start, or divided into many files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from event_tools.convert import Conversion
from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.files import write_as
from event_tools.filters import crop, shift_time
from event_tools.jobs import Task
from event_tools.parts import by_count, by_time

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
    zero: the times of a part count from its own start.
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
                parts = self._parts(pieces, task.item.place)
                head = next(parts)
                task.out.parent.mkdir(parents=True, exist_ok=True)
                for number, part in zip(count(1), parts, strict=False):
                    made.append(self._numbered(task, number))
                    write_as(made[-1], part, self.conversion.target, writing)
                    total += len(part)
            write_as(task.out, head, self.conversion.target, writing)
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            raise
        return {"events": total + len(head), "parts": len(made) + 1}

    def _parts(self, pieces: Iterator[Events], place: Path) -> Iterator[Events]:
        start = self.conversion.reading.start_us
        if self.events is not None:
            parts = by_count(pieces, self.events)
        else:
            parts = by_time(pieces, self.microseconds or 1, place, start)
        for number, part in enumerate(parts):
            if number == MAX_PARTS:
                raise EventFileError(place, f"expected up to {MAX_PARTS} parts, there are more; take larger ones")
            if self.zero and self.events is None and start is None and len(part):
                start = int(part.t[0]) - number * (self.microseconds or 1)  # the first part begins at its first event
            if self.zero and len(part):
                origin = int(part.t[0]) if self.events is not None else (start or 0) + number * (self.microseconds or 1)
                part = shift_time(part, -origin)
            yield part

    @staticmethod
    def _numbered(task: Task, number: int) -> Path:
        return task.out.with_name(f"{task.out.stem.removesuffix(FIRST)}-{number:05}{task.out.suffix}")
