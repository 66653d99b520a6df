"""Prophesee EVT 3.0 RAW: words of 16 bits, little-endian, each of which changes what the next ones mean.

    head as in `prophesee` | words, their type in bits 15-12
    0x0 ADDR_Y: y bits 10-0, bit 11 a second camera       0x2 ADDR_X: an event, x bits 10-0, p bit 11 (1 = ON)
    0x3 VECT_BASE_X: as ADDR_X, for the vectors behind it  0x4 VECT_12, 0x5 VECT_8: bit i set where x + i fired; x grows
    0x6 TIME_LOW: time bits 11-0                           0x8 TIME_HIGH: time bits 23-12; the low ones are then 0
    0xA trigger and 0xE others: counted; 0xF CONTINUED_12 and 0x7 CONTINUED_4 continue the latter

Time in microseconds has 24 bits and wraps each 16.8 s: a step back of TIME_HIGH by more than half of that is a wrap.
Time 0 is in wrap 0, so a writer counts the wraps before the first event and in every silence, as TIME_HIGH 0xFFF and
0x000, and refuses more than 1,024 of them (2^34 us, as in EVT 2.0). A camera's file may begin with events before the
first time, row or base; those are left out and counted, as the vendor's decoder does. Written TIME_HIGH stands before
TIME_LOW, and vectors are 12 + 12 + 8 pixels within the sensor: other readers want it so. Sources: docs.prophesee.ai,
"EVT 3.0 Format"; prophesee-ai/openeb, evt3_decoder.h.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.formats.prophesee import Head, head_of, parse, read_head, sensor_size
from event_tools.formats.prophesee_words import TIME_LIMIT, Decoded, WordReader, WordWriter, empty_columns
from event_tools.formats.reader import Columns, Reader, Reading
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".raw",)
READS: frozenset[str] = frozenset()
WRITES: frozenset[str] = frozenset()
WORD = 2
WRAPS = TIME_LIMIT >> 24


def matches(head: bytes) -> bool:
    """Whether the head names this encoding."""
    return parse(head).encoding == "evt3"


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """Events of a RAW file; raises EventFileError for a head of another encoding."""
    return _Evt3Reader(file, path, reading, read_head(file, path, "evt3"))


class _Evt3Reader(WordReader):
    word, block, state, opened = WORD, 1 << 18, (-1, 0, -1, -1, 0, 0), 5

    def __init__(self, file: BinaryIO, path: Path, reading: Reading, head: Head) -> None:
        super().__init__(file, path, reading, head, version="3.0", sensor_size=sensor_size(head, path))

    def most(self, data: NDArray[np.uint8]) -> int:
        from event_tools.kernels.evt3 import most

        return most(data.view(np.uint16))

    def advance(self, data: NDArray[np.uint8], state: NDArray[np.int64]) -> None:
        from event_tools.kernels.evt3 import advance

        advance(data.view(np.uint16), state)

    def until(self, state: NDArray[np.int64]) -> int:
        return int(state[0] << 12 | state[1])

    def decode(self, data: NDArray[np.uint8], state: NDArray[np.int64]) -> Decoded:
        from event_tools.kernels.evt3 import UNKNOWN, decode

        words = data.view(np.uint16)
        t, x, y, p = empty_columns(self.most(data) + 1)
        counts = np.zeros(3, np.int64)
        kept, stop, wrong = decode(words, state, self.lenient, t, x, y, p, counts)
        reason = _REASONS.get(wrong, "")
        if wrong == UNKNOWN:
            reason = f"expected a word of EVT 3.0, got type 0x{words[stop] >> 12:X}"
        columns = Columns(t[:kept], x[:kept], y[:kept], p[:kept])
        return Decoded(columns, counts, stop if wrong else -1, reason)


_REASONS = {  # by the kernel's numbers
    2: "expected a word before it that it continues",
    3: "expected a TIME_HIGH word before the first event",
    4: "expected x up to 2047, its pixels go on behind that",
    5: "expected an ADDR_Y word before the first event",
    6: "expected a VECT_BASE_X word before the first vector",
    7: "expected events of one camera, got a row of a second one",
}


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer that refuses what 1,024 wraps of time and 11 bits of place cannot hold."""
    file.write(head_of("evt3", sensor_size))
    writer = _Evt3Writer(file, path, "EVT 3.0")
    writer.width = min(sensor_size[0], writer.side)
    return writer


class _Evt3Writer(WordWriter):
    width = 0

    def encode(self, events: Events, before: tuple[int, int]) -> NDArray[np.uint16]:
        from event_tools.kernels.evt3 import encode

        words = np.empty(4 * len(events) + 2 * WRAPS, np.uint16)
        return words[: encode(events.t, events.x, events.y, events.p, *before, self.width, words)]
