"""Recordings put together in one file: as one recording, a piece of each at a time, or as a labelled set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path, PurePosixPath

from event_tools.convert import Conversion, Counted, refuse_same
from event_tools.datasets import Labelled, open_recordings, write_set
from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.files import pieces_of, write_as
from event_tools.filters import merge_parts, shift_time
from event_tools.finding import FORMATS, SUFFIXES
from event_tools.formats.reader import Reading
from event_tools.history import with_step
from event_tools.progress import walked
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


def merge_set(source: Path, out: Path, reading: Reading, options: Mapping[str, str]) -> tuple[int, int]:
    """Write all recordings of a labelled folder, archive or set as one HDF5 set; how many they are, and their events.

    Names go without their suffix, provenance goes along. Raises EventFileError.
    """
    recordings = open_recordings(source)
    if source.exists() and out.exists() and source.samefile(out):
        raise EventFileError(out, "expected another file to write than the one that is read; choose another name")
    passed: list[Counted] = []

    def labelled() -> Iterator[Labelled]:
        for i in walked(range(len(recordings)), len(recordings), "merge"):
            with recordings.reader(i, reading) as (_, reader):
                parts = pieces_of(reader, recordings.path / recordings.names[i], reading, recordings.sensor_size)
                passed.append(Counted(parts))
                name = PurePosixPath(recordings.names[i])
                plain = name.with_suffix("") if name.suffix.lower() in SUFFIXES else name
                label = recordings.classes[recordings.labels[i]]
                yield Labelled(label, passed[-1], str(plain), reader.provenance)

    told = with_step({}, "merge", source.name, options, out)
    count = write_set(out, labelled(), recordings.classes, provenance=told)
    return count, sum(counted.events for counted in passed)


def _shifted(parts: Iterator[Events], shift: int, item: Item) -> Iterator[Events]:
    for part in parts:
        try:
            yield shift_time(part, shift) if shift else part
        except ValueError as error:
            raise EventFileError(item.place, str(error)) from None


def _common(origins: Sequence[dict[str, Plain]]) -> dict[str, Plain]:
    """The keys that all have, with the same value."""
    return {key: value for key, value in origins[0].items() if all(other.get(key) == value for other in origins[1:])}
