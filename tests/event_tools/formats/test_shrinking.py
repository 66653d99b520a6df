"""A file that becomes shorter while it is read is refused: no other error, no events missing without a word."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from event_tools import EventFileError, Events, write
from event_tools.finding import FORMATS, WRITERS, open_reader
from event_tools.formats.reader import Reading
from event_tools.settling import settle


class Shrunk(BytesIO):
    """Bytes that end before the length that they had."""

    def __init__(self, data: bytes, kept: int) -> None:
        super().__init__(data[:kept])
        self.length = len(data)

    def seek(self, at: int, whence: int = 0) -> int:
        place = super().seek(at, whence)
        return self.length if whence == 2 else place


@pytest.mark.parametrize("format", sorted(set(WRITERS) - {"bs1"}))
def test_it_is_refused_wherever_it_ends(tmp_path: Path, format: str) -> None:
    events = Events(np.arange(5), np.arange(5), np.arange(5), np.arange(5) % 2, (128, 128))
    name = f"a{FORMATS[format].SUFFIXES[0]}"
    write(tmp_path / name, events, format=format)
    data = (tmp_path / name).read_bytes()
    reading = Reading(format, (128, 128))
    refused = 0
    for kept in range(0, len(data) - 1, 1 + len(data) // 500):
        try:
            assert settle(open_reader(Shrunk(data, kept), Path(name), reading)[1], Path(name), reading) == events
        except EventFileError:
            refused += 1
    assert refused > 20 or format in ("hdf5", "aedat4")  # what lies behind the events there is not needed
    assert refused
