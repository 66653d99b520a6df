"""One format into another: a file, or every file of a data set into a folder of the same shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from event_tools.atomic import filling
from event_tools.datasets import Recordings, open_recordings
from event_tools.errors import EventFileError
from event_tools.files import write_as
from event_tools.finding import FORMATS, WRITTEN, open_reader, opened
from event_tools.formats.reader import Reader, Reading
from event_tools.formats.writer import Writing
from event_tools.settling import settle


def convert_file(source: Path, out: Path, to: str | None, reading: Reading, compression: str | None = None) -> None:
    """Read `source` and write `out`; provenance goes along where the format holds it.

    to: a suffix such as "aedat4"; None takes the one of `out`. Raises EventFileError.
    """
    target = _target(out, to)
    if source.exists() and out.exists() and source.samefile(out):
        raise EventFileError(out, "expected another file to write than the one that is read; choose another name")
    with opened(source) as file:
        _write(open_reader(file, source, reading)[1], source, out, target, reading, compression)


def convert_all(
    source: Path,
    out: Path,
    to: str | None,
    reading: Reading,
    compression: str | None = None,
    progress: Callable[[Sequence[int], str], Iterable[int]] = lambda items, title: items,
) -> None:
    """Convert every recording of a folder or .zip into the new folder `out`, which appears whole or not at all."""
    if to is None:
        raise ValueError("expected --to bin, aedat4 or h5 for a whole set, got none")
    target = _target(out, to)
    if out.exists():
        raise EventFileError(out, "expected a new folder, it is there already; choose another name")
    if not out.absolute().parent.is_dir():
        raise EventFileError(out, f"expected the folder {out.absolute().parent} to exist; make it first")
    recordings = open_recordings(source)
    try:
        with filling(out) as partial:
            paths = _paths(recordings, to)
            for i in progress(range(len(recordings)), f"converting {source.name}"):
                place = recordings.path / recordings.names[i]
                (partial / paths[i]).parent.mkdir(parents=True, exist_ok=True)
                with recordings.reader(i, reading) as (_, reader):
                    _write(reader, place, partial / paths[i], target, reading, compression)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EventFileError(out, f"it cannot be written, {reason}; free space or choose another place") from None


def _paths(recordings: Recordings, to: str) -> list[PurePosixPath]:
    """Where each recording goes; raises EventFileError where two would have one name."""
    paths = [PurePosixPath(name).with_suffix(f".{to.lstrip('.')}") for name in recordings.names]
    if any(path.is_absolute() or ".." in path.parts for path in paths):
        raise EventFileError(recordings.path, "its names lead out of the folder, which is refused")
    seen: set[PurePosixPath] = set()
    for path in paths:
        if path in seen:
            raise EventFileError(
                recordings.path / path, "expected names that differ without their suffix; convert these one by one"
            )
        seen.add(path)
    return paths


def _write(reader: Reader, place: Path, out: Path, target: str, reading: Reading, compression: str | None) -> None:
    events = settle(reader, place, reading)
    kept = reader.provenance if "provenance" in FORMATS[target].WRITES else {}
    write_as(out, events, target, Writing(compression, provenance=kept))


def _target(out: Path, to: str | None) -> str:
    suffix = f".{to.lstrip('.')}" if to else out.suffix
    name = WRITTEN.get(suffix.lower())
    if name is None:
        known = ", ".join(sorted(WRITTEN))
        raise EventFileError(out, f"expected a suffix that can be written ({known}), got {suffix or 'none'!r}")
    return name
