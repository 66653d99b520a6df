"""What a format's reader hands to `files.py`, and what all readers share: regular files, damage, provenance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.reader import Columns, Reader
from event_tools.formats.writer import Writer
from event_tools.parts import joined, owned
from event_tools.provenance import Plain


@dataclass
class RawEvents:
    """Columns as decoded, in file order, before sorting, cutting and the sensor's size are settled.

    t: int64 microseconds; x, y: integers; p: 0 or 1; sensor_size: what the file says, or None; default_size: the
    format's own, used where all events fit; byte_of: where event i begins, for formats with plain records.
    """

    t: NDArray[np.int64]
    x: NDArray[Any]
    y: NDArray[Any]
    p: NDArray[Any]
    sensor_size: tuple[int, int] | None = None
    default_size: tuple[int, int] | None = None
    version: str = ""
    streams: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, Plain] = field(default_factory=dict)
    byte_of: Callable[[int], int] | None = None


def load_bytes(path: Path) -> bytes:
    """A regular file's bytes; a folder, FIFO or device is refused."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EventFileError(path, f"it cannot be read, {(error.strerror or str(error)).lower()}") from None


class WholeReader(Reader):
    """For formats that are still decoded in one piece."""

    def __init__(self, raw: RawEvents) -> None:
        super().__init__(raw.version, raw.sensor_size, raw.default_size, len(raw.t), raw.streams, raw.provenance)
        self.raw = raw

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        r = self.raw
        yield Columns(r.t, r.x.astype(np.uint16), r.y.astype(np.uint16), r.p.astype(np.uint8), r.byte_of)


class WholeWriter(Writer):
    """For formats that are still written in one piece."""

    def __init__(self, write_file, file, path, writing):
        self.parts, self.write_file, self.file, self.path, self.writing = [], write_file, file, path, writing

    def add(self, events: Events) -> None:
        self.parts.append(owned(events))

    def finish(self) -> None:
        self.file.flush()
        options = {"provenance": self.writing.provenance}
        if self.writing.compression:
            options["compression"] = self.writing.compression
        self.write_file(Path(self.file.name), self.path, joined(self.parts), **options)
