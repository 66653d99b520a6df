"""One stream of events into an AEDAT 4 file: packets of a fixed number, packed by threads, then the table of them."""

from __future__ import annotations

import struct
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats import flatbuffers
from event_tools.formats.aedat4_info import info_xml
from event_tools.formats.aedat4_packets import MAGIC, PACKET, ROW
from event_tools.formats.packing import NUMBERS, packed, zstandard
from event_tools.formats.reader import one_of
from event_tools.formats.work import Work
from event_tools.formats.writer import Writer, Writing

PACKET_EVENTS = 10_000
MAX_COORDINATE = 32767  # x and y are signed 16-bit


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer of one stream of events; raises EventFileError for a sensor beyond 15 bits."""
    compression = one_of(path, "compression", writing.compression, tuple(NUMBERS))
    if compression == "zstd":
        zstandard()
    if max(sensor_size) - 1 > MAX_COORDINATE:
        width, height = sensor_size
        raise EventFileError(
            path, f"AEDAT 4 holds coordinates up to {MAX_COORDINATE}, the sensor is {width}x{height}; crop it"
        )
    xml = info_xml(sensor_size, compression, writing.provenance)
    return _Aedat4Writer(file, compression, xml)


class _Aedat4Writer(Writer):
    def __init__(self, file: BinaryIO, compression: str, xml: str) -> None:
        header, position_at = flatbuffers.io_header(NUMBERS[compression], xml)
        file.write(MAGIC + header)
        self.file, self.compression, self.position_at = file, compression, len(MAGIC) + position_at
        self.body, self.held, self.first = _new_body(), 0, 0
        self.entries: list[tuple[int, int, int, int, int, int]] = []
        self.work = Work(partial(_packed, compression))

    def add(self, events: Events) -> None:
        from event_tools.kernels.aedat4 import pack

        at = 0
        while at < len(events):
            if self.held == 0:
                self.first = int(events.t[at])
            n = min(PACKET_EVENTS - self.held, len(events) - at)
            rows = self.body[flatbuffers.EVENTS_AT + ROW * self.held :]
            pack(events.t, events.x, events.y, events.p, at, n, rows)
            at, self.held = at + n, self.held + n
            if self.held == PACKET_EVENTS:
                self._hand_over(int(events.t[at - 1]))
        if len(events):
            self.last = int(events.t[-1])

    def _hand_over(self, last: int) -> None:
        body = self.body[: flatbuffers.EVENTS_AT + ROW * self.held]
        body[: flatbuffers.EVENTS_AT] = np.frombuffer(flatbuffers.event_packet_head(self.held), np.uint8)
        for done in self.work.put((body, self.held, self.first, last)):
            self._store(*done)
        self.body, self.held = _new_body(), 0

    def _store(self, body: bytes, count: int, first: int, last: int) -> None:
        self.file.write(PACKET.pack(0, len(body)))
        self.entries.append((self.file.tell(), 0, len(body), count, first, last))
        self.file.write(body)

    def finish(self) -> None:
        if self.held:
            self._hand_over(self.last)
        for done in self.work.rest():
            self._store(*done)
        table_at = self.file.tell()
        table = flatbuffers.file_table(np.array(self.entries, np.int64).reshape(-1, 6))
        self.file.write(packed(np.frombuffer(table, np.uint8), self.compression))
        self.file.seek(self.position_at)
        self.file.write(struct.pack("<q", table_at))

    def close(self) -> None:
        self.work.close()


def _new_body() -> NDArray[np.uint8]:
    return np.empty(flatbuffers.EVENTS_AT + ROW * PACKET_EVENTS, np.uint8)


def _packed(compression: str, item: tuple[NDArray[np.uint8], int, int, int]) -> tuple[bytes, int, int, int]:
    body, count, first, last = item
    return packed(body, compression), count, first, last  # type: ignore[return-value]
