"""Prophesee EVT 2.1 RAW: a word of 64 bits for up to 32 pixels of one row, time and polarity.

    head as in `prophesee` | words, in their upper half what a word of EVT 2.0 has (see `evt2`), x that of bit 0
    lower half: bit i is set where pixel x + i fired

Order of bytes: "little" (GenX320, and the default), the whole word little-endian; "legacy" (IMX636, Gen4.1), the upper
half first, each half little-endian. A head says `endianness=`; where it does not, the order is the one in which the
first words make sense, little if both do. Time and the first words as in EVT 2.0. Written x are multiples of 32, as
cameras have them. Sources: docs.prophesee.ai, "EVT 2.1 Format"; prophesee-ai/openeb, evt21_event_types.h.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.formats.blocks import read_at
from event_tools.formats.prophesee import Head, head_of, parse, read_head, sensor_size
from event_tools.formats.prophesee_words import BLOCK, Decoded, WordReader, WordWriter, empty_columns
from event_tools.formats.reader import Columns, Reader, Reading, one_of
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".raw",)
READS = frozenset({"endianness"})
WRITES = frozenset({"endianness"})
WORD = 8
ORDERS = ("little", "legacy")


def matches(head: bytes) -> bool:
    """Whether the head names this encoding."""
    return parse(head).encoding == "evt21"


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """Events of a RAW file; raises EventFileError for a head of another encoding or an unknown order of bytes."""
    head = read_head(file, path, "evt21")
    order = reading.endianness or head.endianness
    if order is None:
        order = _likely_order(read_at(file, head.end, BLOCK))
    return _Evt21Reader(file, path, reading, head, one_of(path, "endianness", order, ORDERS))


def _likely_order(data: NDArray[np.uint8]) -> str:
    from event_tools.kernels.evt21 import plausible

    words = data[: len(data) // WORD * WORD].view(np.uint32)
    return "legacy" if plausible(words, 0) and not plausible(words, 1) else "little"


class _Evt21Reader(WordReader):
    word, block, state, opened = WORD, 1 << 18, (-1, 0), 1

    def __init__(self, file: BinaryIO, path: Path, reading: Reading, head: Head, order: str) -> None:
        super().__init__(file, path, reading, head, version="2.1", sensor_size=sensor_size(head, path))
        self.upper = int(order == "little")

    def most(self, data: NDArray[np.uint8]) -> int:
        from event_tools.kernels.evt21 import most

        return most(data.view(np.uint32), self.upper)

    def advance(self, data: NDArray[np.uint8], state: NDArray[np.int64]) -> None:
        from event_tools.kernels.evt21 import advance

        advance(data.view(np.uint32), state, self.upper)

    def until(self, state: NDArray[np.int64]) -> int:
        return int(state[0] << 6 | 0x3F)

    def decode(self, data: NDArray[np.uint8], state: NDArray[np.int64]) -> Decoded:
        from event_tools.kernels.evt2 import STRAY, TIMELESS, UNKNOWN
        from event_tools.kernels.evt21 import OUTSIDE, decode

        words = data.view(np.uint32)
        t, x, y, p = empty_columns(self.most(data))
        counts = np.zeros(3, np.int64)
        kept, stop, wrong = decode(words, state, self.upper, self.lenient, t, x, y, p, counts)
        reason = ""
        if wrong == TIMELESS:
            reason = "expected a TIME_HIGH word before the first event"
        elif wrong == UNKNOWN:
            reason = f"expected a word of EVT 2.1, got type 0x{words[2 * stop + self.upper] >> 28:X}"
        elif wrong == STRAY:
            reason = "expected a word before it that it continues"
        elif wrong == OUTSIDE:
            reason = "expected x up to 2047, its pixels go on behind that"
        columns = Columns(t[:kept], x[:kept], y[:kept], p[:kept])
        return Decoded(columns, counts, stop if wrong else -1, reason)


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer that refuses what 34 bits of time and 11 bits of place cannot hold."""
    order = one_of(path, "endianness", writing.endianness, ORDERS)
    file.write(head_of("evt21", sensor_size, order))
    writer = _Evt21Writer(file, path, "EVT 2.1")
    writer.upper = int(order == "little")
    return writer


class _Evt21Writer(WordWriter):
    upper = 1

    def encode(self, events: Events, before: tuple[int, int]) -> NDArray[np.uint32]:
        from event_tools.kernels.evt21 import encode

        words = np.empty(4 * len(events), np.uint32)
        return words[: encode(events.t, events.x, events.y, events.p, before[0], self.upper, words)]
