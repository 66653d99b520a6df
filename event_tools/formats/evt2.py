"""Prophesee EVT 2.0 RAW: a word of 32 bits an event, little-endian.

    head as in `prophesee` | words, their type in bits 31-28
    0x0 OFF, 0x1 ON: time bits 5-0 at 27-22, x 21-11, y 10-0
    0x8 TIME_HIGH: time bits 33-6 at 27-0; it stands before the events it is for
    0xA trigger, 0xD IMU and 0xE others: counted; 0xF continues the two

Time in microseconds has 34 bits and wraps after 4.8 hours: a step back of TIME_HIGH by more than half is a wrap.
Writers begin at wrap 0 and refuse more. A camera's file may begin with events before the first TIME_HIGH; those are
left out and counted, as the vendor's decoder does. Sources: docs.prophesee.ai, "EVT 2.0 Format"; prophesee-ai/openeb.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.formats.prophesee import Head, head_of, parse, read_head, sensor_size
from event_tools.formats.prophesee_words import Decoded, WordReader, WordWriter, empty_columns
from event_tools.formats.reader import Columns, Reader, Reading
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".raw",)
READS: frozenset[str] = frozenset()
WRITES: frozenset[str] = frozenset()
WORD = 4


def matches(head: bytes) -> bool:
    """Whether the head names this encoding."""
    return parse(head).encoding == "evt2"


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """Events of a RAW file; raises EventFileError for a head of another encoding."""
    return _Evt2Reader(file, path, reading, read_head(file, path, "evt2"))


class _Evt2Reader(WordReader):
    word, state, opened = WORD, (-1, 0), 1

    def __init__(self, file: BinaryIO, path: Path, reading: Reading, head: Head) -> None:
        super().__init__(file, path, reading, head, version="2.0", sensor_size=sensor_size(head, path))
        self.capacity = None if self.windowed else (self.stop - self.start) // WORD

    def most(self, data: NDArray[np.uint8]) -> int:
        return len(data) // WORD

    def advance(self, data: NDArray[np.uint8], state: NDArray[np.int64]) -> None:
        from event_tools.kernels.evt2 import advance

        advance(data.view(np.uint32), state)

    def until(self, state: NDArray[np.int64]) -> int:
        return int(state[0] << 6 | 0x3F)

    def decode(self, data: NDArray[np.uint8], state: NDArray[np.int64]) -> Decoded:
        from event_tools.kernels.evt2 import STRAY, TIMELESS, UNKNOWN, decode

        words = data.view(np.uint32)
        t, x, y, p = empty_columns(len(words))
        counts = np.zeros(3, np.int64)
        kept, stop, wrong = decode(words, state, self.lenient, t, x, y, p, counts)
        reason = ""
        if wrong == TIMELESS:
            reason = "expected a TIME_HIGH word before the first event"
        elif wrong == UNKNOWN:
            reason = f"expected a word of EVT 2.0, got type 0x{words[stop] >> 28:X}"
        elif wrong == STRAY:
            reason = "expected a word before it that it continues"
        columns = Columns(t[:kept], x[:kept], y[:kept], p[:kept])
        return Decoded(columns, counts, stop if wrong else -1, reason)


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer that refuses what 34 bits of time and 11 bits of place cannot hold."""
    file.write(head_of("evt2", sensor_size))
    return _Evt2Writer(file, path, "EVT 2.0")


class _Evt2Writer(WordWriter):
    def encode(self, events: Events, before: tuple[int, int]) -> NDArray[np.uint32]:
        from event_tools.kernels.evt2 import encode

        words = np.empty(2 * len(events), np.uint32)
        return words[: encode(events.t, events.x, events.y, events.p, before[0], words)]
