"""What tests of files share: recordings at random, and what a reader may answer to a damaged file."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import strategies as st

from event_tools import EventFileError, Events, read, write
from event_tools.finding import open_reader
from event_tools.formats.reader import Reading
from event_tools.settling import settle

SILENT = (".bin", ".bs1", ".bs2", ".bs3", ".npy")  # suffixes of formats that do not say the sensor's size


@st.composite
def recordings(draw: st.DrawFn, first_us: int = 0, last_us: int = 1 << 40, side: int = 32768) -> Events:
    """Up to 30 events on a sensor of up to `side` pixels; none, one, ties and the limits are likely."""
    times = sorted(draw(st.lists(st.integers(first_us, last_us), max_size=30)))
    width, height = draw(st.integers(1, side)), draw(st.integers(1, side))
    n = len(times)

    def column(top: int) -> list[int]:
        return draw(st.lists(st.integers(0, top), min_size=n, max_size=n))

    return Events(np.array(times, np.int64), column(width - 1), column(height - 1), column(1), (width, height))


def written_and_read(events: Events, suffix: str, **options: Any) -> Events:
    """The recording after a round trip through a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"one{suffix}"
        write(path, events, **options)
        return read(path, sensor_size=events.sensor_size if suffix in SILENT else None)


def after_damage(data: bytes, name: str, tolerant: bool = False) -> Events | None:
    """What a reader makes of the bytes of a file, None where it refuses them; any other error fails the test."""
    path = Path(name)
    try:
        with warnings.catch_warnings():
            if tolerant:
                warnings.simplefilter("ignore")
            reading = Reading(tolerant=tolerant)
            return settle(open_reader(BytesIO(data), path, reading)[1], path, reading)
    except EventFileError as error:
        assert str(error).startswith(name) and "\n" not in str(error)
        return None
