"""One recording into another file: read in pieces, changed on the way, written; never held whole unless it has to be.

Options that both reading and writing know (convention, camera, time_unit, endianness) go to the side whose format has
them, to both where both have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.files import write_as
from event_tools.finding import FORMATS, SUFFIXES, WRITERS, WRITTEN
from event_tools.formats.reader import Reader, Reading
from event_tools.formats.writer import Writing
from event_tools.history import with_step
from event_tools.jobs import Task
from event_tools.progress import events_progress
from event_tools.provenance import Plain
from event_tools.sources import Item, format_of, opened_item, parts_of

Change = Callable[[Iterator[Events], str], Iterator[Events]]


@dataclass(frozen=True)
class Conversion:
    """Work on a task of a job, or of a single file: reads `task.item`, writes `task.out`, answers with the events.

    target: name of the format; both: the options of either side; command, options: for the provenance; change: what
    happens to the pieces, each of which it must use up before it takes the next; it is told the recording's name.
    shown: whether a bar counts events.
    """

    target: str
    reading: Reading = field(default_factory=Reading)
    writing: Writing = field(default_factory=Writing)
    both: Mapping[str, str] = field(default_factory=dict)
    command: str = "convert"
    options: Mapping[str, str] = field(default_factory=dict)
    change: Change | None = None
    shown: bool = False

    def __call__(self, task: Task) -> dict[str, int]:
        """Raises EventFileError."""
        refuse_same(task.item, task.out)
        with self.opened(task) as (parts, writing):
            counted = Counted(parts)
            task.out.parent.mkdir(parents=True, exist_ok=True)
            write_as(task.out, counted, self.target, writing)
        return {"events": counted.events}

    def _seen(self, parts: Iterator[Events], total: int | None) -> Iterator[Events]:
        """The pieces as they are read, with a bar."""
        with events_progress(total, self.command) as bar:
            for part in parts:
                bar.step(len(part))
                yield part

    @contextmanager
    def opened(self, task: Task) -> Iterator[tuple[Iterator[Events], Writing]]:
        """The changed pieces of a recording while it is open, and how they are written; EventFileError inside."""
        reading, writing = self.sides(task.item)
        try:
            with opened_item(task.item, reading) as (_, reader, set_size):
                parts = parts_of(task.item, reader, reading, set_size)
                parts = self._seen(parts, reader.capacity) if self.shown else parts
                changed = self.change(parts, task.item.name) if self.change else parts
                yield changed, replace(writing, provenance=self.provenance(reader, task.item, task.out))
        except EventFileError:
            raise
        except ValueError as error:  # of a change, which knows no file
            raise EventFileError(task.item.place, str(error)) from None

    def sides(self, item: Item) -> tuple[Reading, Writing]:
        """How `item` is read and what becomes of it is written."""
        if not self.both:
            return self.reading, self.writing
        reads, writes = FORMATS[format_of(item, self.reading)].READS, FORMATS[self.target].WRITES
        written = {name: value for name, value in self.both.items() if name in writes}
        read = {name: value for name, value in self.both.items() if name in reads or name not in written}
        return replace(self.reading, **read), replace(self.writing, **written)

    def provenance(self, reader: Reader, item: Item, out: Path) -> dict[str, Plain]:
        """What the file says of its origin and this step, where the format keeps it."""
        if "provenance" not in FORMATS[self.target].WRITES:
            return {}
        return with_step(reader.provenance, self.command, item.name, self.options, out)


class Counted:
    """Parts of a recording as they pass, and how many events they had."""

    def __init__(self, parts: Iterator[Events]) -> None:
        self.parts, self.events = parts, 0

    def __iter__(self) -> Iterator[Events]:
        for part in self.parts:
            self.events += len(part)
            yield part


def target_of(to: str | None, out: Path) -> tuple[str, str]:
    """The format's name and the suffix for `to`, a format's name or a suffix, or for the suffix of `out` if None.

    Raises EventFileError for what cannot be written.
    """
    if to is None:
        name, suffix = WRITTEN.get(out.suffix.lower()), out.suffix
    elif to in FORMATS:
        name, suffix = to, FORMATS[to].SUFFIXES[0]
    else:
        suffix = f".{to.lstrip('.').lower()}"
        name = WRITTEN.get(suffix)
    if name in WRITERS:
        return name, suffix
    suffixes = ", ".join(sorted(WRITTEN))
    if to is None:
        got = out.suffix or "none"
        raise EventFileError(out, f"expected a suffix that can be written ({suffixes}) or --to FORMAT, got {got}")
    raise EventFileError(
        out, f"expected --to to be a format ({', '.join(WRITERS)}) or a suffix ({suffixes}), got {to!r}"
    )


def refuse_misnomer(out: Path, target: str) -> None:
    """Raise EventFileError where a file's suffix belongs to other formats than the one that is written."""
    meant = SUFFIXES.get(out.suffix.lower())
    if meant and target not in meant:
        suffix = FORMATS[target].SUFFIXES[0]
        raise EventFileError(out, f"expected a name that ends in {suffix} for {target}; its suffix says {meant[0]}")


def refuse_same(item: Item, out: Path) -> None:
    """Raise EventFileError where a file would be written over the one that is read."""
    if item.path.exists() and out.exists() and item.path.samefile(out):
        raise EventFileError(out, "expected another file to write than the one that is read; choose another name")
