"""A file that becomes shorter while it is read is refused: no other error, no events missing without a word."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from event_tools import EventFileError, Events, write
from event_tools.finding import open_reader
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


@pytest.mark.parametrize(("format", "name"), [("aedat2", "a.aedat"), ("aedat3", "a.aedat"), ("aedat4", "a.aedat4")])
def test_it_is_refused_wherever_it_ends(tmp_path: Path, format: str, name: str) -> None:
    events = Events(np.arange(5), np.arange(5), np.arange(5), np.arange(5) % 2, (128, 128))
    write(tmp_path / name, events, format=format)
    data = (tmp_path / name).read_bytes()
    for kept in range(len(data) - 1):
        try:
            assert settle(open_reader(Shrunk(data, kept), Path(name), Reading())[1], Path(name), Reading()) == events
        except EventFileError:
            continue
        assert format == "aedat4"  # its table of packets is not needed
