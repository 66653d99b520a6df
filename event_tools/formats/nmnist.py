"""N-MNIST and ATIS .bin (SLAYER .bs2 has the same layout): five bytes an event, no header.

    byte 0 x | byte 1 y | byte 2 bit 7 polarity (1 = ON) | 23 bits time in microseconds, big-endian

y = 240 marks an overflow: no event, and 2^13 us more on every later time. Source: garrickorchard.com/datasets/n-mnist.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.raw import RawEvents, damaged

SUFFIXES = (".bin", ".bs2")
RECORD = 5
TIME_LIMIT = 1 << 23
OVERFLOW_Y, OVERFLOW_US = 240, 1 << 13
SENSOR = (34, 34)


def decode(data: bytes, path: Path, tolerant: bool = False) -> RawEvents:
    """Columns of the recording in `data`; raises EventFileError for a record that is cut."""
    extra = len(data) % RECORD
    if extra:
        damaged(path, f"expected records of {RECORD} bytes, the last one has {extra}", len(data) - extra, tolerant)
    words = np.frombuffer(data, np.uint8, len(data) - extra).reshape(-1, RECORD)
    t = (words[:, 2].astype(np.int64) & 0x7F) << 16 | words[:, 3].astype(np.int64) << 8 | words[:, 4]
    overflow = words[:, 1] == OVERFLOW_Y
    record = np.flatnonzero(~overflow)
    if len(record) < len(words):
        t += np.cumsum(overflow) * OVERFLOW_US
        words, t = words[record], t[record]
    return RawEvents(
        t, words[:, 0], words[:, 1], words[:, 2] >> 7, default_size=SENSOR, byte_of=lambda i: RECORD * int(record[i])
    )


def encode(events: Events, path: Path) -> bytes:
    """The recording as bytes; raises EventFileError for what 23 bits, y < 240 or x < 256 cannot hold."""
    if len(events):
        if events.t[0] < 0 or events.t[-1] >= TIME_LIMIT:
            raise EventFileError(
                path,
                f"N-MNIST holds times 0 to {TIME_LIMIT - 1} us, got {events.t[0]} to {events.t[-1]}; cut or shift them",
            )
        if events.x.max() > 255 or events.y.max() >= OVERFLOW_Y:
            raise EventFileError(
                path,
                f"N-MNIST holds x up to 255 and y up to {OVERFLOW_Y - 1}, "
                f"got {events.x.max()} and {events.y.max()}; crop it",
            )
    words = np.empty((len(events), RECORD), np.uint8)
    words[:, 0], words[:, 1] = events.x, events.y
    words[:, 2] = events.p << 7 | (events.t >> 16).astype(np.uint8)
    words[:, 3] = (events.t >> 8) & 0xFF
    words[:, 4] = events.t & 0xFF
    return words.tobytes()


def write_file(temporary: Path, path: Path, events: Events) -> None:
    """Write the recording; errors speak of `path`."""
    temporary.write_bytes(encode(events, path))
