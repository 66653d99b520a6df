"""One format into another: a file, or every file of a data set into a folder of the same shape."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from event_tools.datasets import open_recordings
from event_tools.errors import EventFileError
from event_tools.files import SUFFIXES, WRITERS, info, read, write


def convert_file(source: Path, out: Path, to: str | None, reading: dict[str, Any], compression: str | None = None) -> None:
    """Read `source` with the options of `read` and write `out`; provenance goes along where the format holds it.

    to: a suffix such as "aedat4"; None takes the one of `out`. Raises EventFileError.
    """
    target = _target(out, to)
    if source.exists() and out.exists() and source.samefile(out):
        raise EventFileError(out, "expected another file to write than the one that is read; choose another name")
    events = read(source, **reading)
    provenance = info(source, **{key: reading[key] for key in ("format", "tolerant", "convention")}).provenance
    write(out, events, target, compression=compression, provenance=provenance if target != "nmnist" else None)


def convert_all(
    source: Path,
    out: Path,
    to: str | None,
    reading: dict[str, Any],
    compression: str | None = None,
    progress: Callable[[Sequence[int], str], Iterable[int]] = lambda items, title: items,
) -> None:
    """Convert every recording of a folder or .zip into the new folder `out`, which appears whole or not at all."""
    if to is None:
        raise ValueError("expected --to bin, aedat4 or h5 for a whole set, got none")
    target = _target(Path(f"x.{to.lstrip('.')}"), None)
    if out.exists():
        raise EventFileError(out, "expected a new folder, it is there already; choose another name")
    recordings = open_recordings(source, sensor_size=reading["sensor_size"])
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    options = {key: value for key, value in reading.items() if key != "sensor_size"}
    try:
        for i in progress(range(len(recordings)), f"converting {source.name}"):
            path = partial / PurePosixPath(recordings.names[i]).with_suffix(f".{to.lstrip('.')}")
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                raise EventFileError(source / recordings.names[i], f"two recordings would become {path.name}; convert them one by one")
            write(path, recordings.read(i, **options), target, compression=compression)
        os.replace(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _target(out: Path, to: str | None) -> str:
    suffix = f".{to.lstrip('.')}" if to else out.suffix
    name = SUFFIXES.get(suffix.lower())
    if name not in WRITERS:
        known = ", ".join(sorted(suffix for suffix, name in SUFFIXES.items() if name in WRITERS))
        raise EventFileError(out, f"expected a suffix that can be written ({known}), got {suffix or 'none'!r}")
    return name
