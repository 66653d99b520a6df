"""Reading and writing of Prophesee's streams of words, in blocks whose state is known before they are decoded.

A word means something only after those before it (time, row, base). So a quick kernel goes over the blocks in order
and brings the state behind each; the blocks are then decoded, by several threads, from the states between them. A
writer divides a recording into blocks of one size, however its parts come, and begins each from the event before.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.blocks import file_size, in_order, record_blocks
from event_tools.formats.prophesee import Head, origin_us
from event_tools.formats.reader import Columns, Reader, Reading, damaged
from event_tools.formats.writer import Writer
from event_tools.parts import joined, owned

BLOCK = 1 << 19  # bytes of a block that is read
EVENTS = 1 << 16  # events of a block that is written
SIDE = 2048  # pixels that eleven bits count
TIME_LIMIT = 1 << 34  # us; of 28 + 6 bits in EVT 2, of 1,024 wraps in EVT 3
STREAMS = ("triggers", "others", "untimed")


@dataclass(frozen=True)
class Decoded:
    """A block's columns, what else it held, and the word that stopped it (or -1) with what is wrong with it."""

    columns: Columns
    counts: NDArray[np.int64]
    stop: int
    reason: str


class WordReader(Reader):
    """Events of words of `word` bytes from the head's end on; formats say what a word is.

    streams: triggers; others, the words of other kinds; untimed, events that a camera sent before the first time.
    """

    word: int
    block = BLOCK
    state: tuple[int, ...]  # before the first word
    opened: int | None = None  # where the state says that the next word may continue another

    def __init__(self, file: BinaryIO, path: Path, reading: Reading, head: Head, **known: Any) -> None:
        super().__init__(**known)
        del self.capacity  # what the class says, when it is asked for
        self.windowed = reading.start_us is not None or reading.stop_us is not None
        self.file, self.path, self.tolerant, self.start = file, path, reading.tolerant, head.end
        self.lenient, self.origin_us = head.by_camera, origin_us(head, path)
        self.extra = (file_size(file) - self.start) % self.word
        self.stop = file_size(file) - self.extra

    @cached_property
    def capacity(self) -> int | None:  # type: ignore[override]
        """Events at most, counted where words hold several: a look at each word saves growing the columns.

        None where only a window is wanted, which may lie anywhere in a large file.
        """
        if self.windowed:
            return None
        blocks = record_blocks(self.file, self.path, self.start, self.stop, self.word, self.block)
        return sum(in_order(lambda block: self.most(block[1]), blocks))

    @abstractmethod
    def most(self, data: NDArray[np.uint8]) -> int:
        """How many events a block may hold."""

    @abstractmethod
    def advance(self, data: NDArray[np.uint8], state: NDArray[np.int64]) -> None:
        """Bring the state behind a block."""

    @abstractmethod
    def until(self, state: NDArray[np.int64]) -> int:
        """The latest time in microseconds that an event before this state may have, if times do not decrease."""

    @abstractmethod
    def decode(self, data: NDArray[np.uint8], state: NDArray[np.int64]) -> Decoded:
        """A block's events."""

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        counts = np.zeros(len(STREAMS), np.int64)
        self.streams = {}
        for at, decoded in in_order(self._decoded, self._blocks(start_us)):
            counts += decoded.counts
            self.streams = {name: int(n) for name, n in zip(STREAMS, counts, strict=True) if n}
            yield decoded.columns
            if decoded.stop >= 0:
                damaged(self.path, decoded.reason, at + self.word * decoded.stop, self.tolerant)
                return
        if self.extra:
            reason = f"expected words of {self.word} bytes, the last one has {self.extra}"
            damaged(self.path, reason, self.stop, self.tolerant)

    def _blocks(self, start_us: int | None) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.int64]]]:
        """(place in the file, bytes, state before them); blocks that end before start_us are left out."""
        state = np.array(self.state, np.int64)
        if self.opened is not None and self.lenient:
            state[self.opened] = 1
        for at, data in record_blocks(self.file, self.path, self.start, self.stop, self.word, self.block):
            before = state.copy()
            self.advance(data, state)
            if start_us is None or self.until(state) + self.origin_us >= start_us:
                yield at, data, before

    def _decoded(self, block: tuple[int, NDArray[np.uint8], NDArray[np.int64]]) -> tuple[int, Decoded]:
        at, data, state = block
        decoded = self.decode(data, state)
        columns = decoded.columns
        if self.origin_us:
            columns.t[:] += self.origin_us
        place = partial(self._byte_of, at, data, state)
        return at, Decoded(
            Columns(columns.t, columns.x, columns.y, columns.p, place), decoded.counts, decoded.stop, decoded.reason
        )

    def _byte_of(self, at: int, data: NDArray[np.uint8], state: NDArray[np.int64], event: int) -> int:
        """The word of an event: the last one without which it is not decoded."""
        low, high = 0, len(data) // self.word
        while low < high:
            middle = (low + high) // 2
            if len(self.decode(data[: self.word * (middle + 1)], state).columns) > event:
                high = middle
            else:
                low = middle + 1
        return at + self.word * low


def empty_columns(n: int) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]:
    """t, x, y, p for n events."""
    return np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.uint8)


@dataclass
class WordWriter(Writer):
    """Writes blocks of EVENTS events, each encoded from the event before it; formats say how.

    name: of the format, for messages; time_limit, side: what its bits hold.
    """

    file: BinaryIO
    path: Path
    name: str
    time_limit: int = TIME_LIMIT
    side: int = SIDE
    held: list[Events] = field(default_factory=list)
    number: int = 0
    last: tuple[int, int] = (-1, -1)  # t and y of the event before

    @abstractmethod
    def encode(self, events: Events, before: tuple[int, int]) -> NDArray[Any]:
        """A block's words, where the event before it had such t and y (-1 and -1: none)."""

    def add(self, events: Events) -> None:
        if not len(events):
            return
        first, last = int(events.t[0]), int(events.t[-1])
        if first < 0 or last >= self.time_limit:
            raise EventFileError(
                self.path,
                f"{self.name} holds times 0 to {self.time_limit - 1} us, got {first} to {last}; cut or shift them",
            )
        x, y = int(events.x.max()), int(events.y.max())
        if max(x, y) >= self.side:
            raise EventFileError(
                self.path, f"{self.name} holds x and y up to {self.side - 1}, got {x} and {y}; crop it"
            )
        self._write(self._blocks(events))

    def finish(self) -> None:
        if self.held:
            self._write(iter([joined(self.held)]))

    def _blocks(self, events: Events) -> Iterator[Events]:
        """Whole blocks; the rest is held back."""
        at = 0
        if self.number:
            at = min(EVENTS - self.number, len(events))
            self.held.append(owned(events[:at]))
            self.number += at
            if self.number < EVENTS:
                return
            yield joined(self.held)
        whole = at + (len(events) - at) // EVENTS * EVENTS
        for start in range(at, whole, EVENTS):
            yield events[start : start + EVENTS]
        self.held = [owned(events[whole:])] if whole < len(events) else []
        self.number = len(events) - whole

    def _write(self, blocks: Iterator[Events]) -> None:
        for words in in_order(lambda item: self.encode(*item), self._with_last(blocks)):
            self.file.write(words)

    def _with_last(self, blocks: Iterator[Events]) -> Iterator[tuple[Events, tuple[int, int]]]:
        for block in blocks:
            before, self.last = self.last, (int(block.t[-1]), int(block.y[-1]))
            yield block, before
