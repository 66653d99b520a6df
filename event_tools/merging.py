"""Files of recordings put together into one file, a piece of each at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from event_tools.convert import Conversion, Counted, refuse_same
from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.files import write_as
from event_tools.filters import merge_parts, shift_time
from event_tools.finding import FORMATS
from event_tools.history import with_step
from event_tools.provenance import Plain
from event_tools.sources import Item, opened_item, parts_of


def merge_files(items: Sequence[Item], out: Path, work: Conversion, shifts: Sequence[int]) -> int:
    """Write the items, each shifted by so many microseconds, as one recording; how many events it has.

    Provenance on which all agree goes along. Raises EventFileError.
    """
    with ExitStack() as stack:
        streams, origins, writing = [], [], work.writing
        for item, shift in zip(items, shifts, strict=True):
            refuse_same(item, out)
            reading, writing = work.sides(item)
            _, reader, set_size = stack.enter_context(opened_item(item, reading))
            streams.append(_shifted(parts_of(item, reader, reading, set_size), shift, item))
            origins.append(reader.provenance)
        if "provenance" in FORMATS[work.target].WRITES:
            name = items[0].name if len(items) == 1 else f"{items[0].name} and {len(items) - 1} more"
            writing = replace(writing, provenance=with_step(_common(origins), work.command, name, work.options, out))
        counted = Counted(merge_parts(streams))
        try:
            write_as(out, counted, work.target, writing)
        except EventFileError:
            raise
        except ValueError as error:
            raise EventFileError(out, str(error)) from None
        return counted.events


def _shifted(parts: Iterator[Events], shift: int, item: Item) -> Iterator[Events]:
    for part in parts:
        try:
            yield shift_time(part, shift) if shift else part
        except ValueError as error:
            raise EventFileError(item.place, str(error)) from None


def _common(origins: Sequence[dict[str, Plain]]) -> dict[str, Plain]:
    """The keys that all have, with the same value."""
    return {key: value for key, value in origins[0].items() if all(other.get(key) == value for other in origins[1:])}
