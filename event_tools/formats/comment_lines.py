"""The comment lines that AEDAT 2 and 3 begin with: '#', text, line feed; binary records follow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from event_tools.errors import EventFileError
from event_tools.formats.blocks import file_size

MAX_HEADER = 1 << 24  # jAER puts all its preferences into comment lines
NO_TEXT = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
PIECE = 1 << 16
SIZE_LINE = b"# Sensor size: "


def comment_lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    """(place after it, text) of each line that begins with '#', from the start of the file on.

    Raises EventFileError for a line without an end and for one that is no text: without a mark at the header's end, a
    record that begins with '#' looks like one.
    """
    held, at = bytearray(), 0
    size = file_size(file)
    file.seek(0)
    while at < size:
        if at == len(held):
            held += file.read(PIECE)
        if held[at : at + 1] != b"#":
            return
        end = held.find(b"\n", at)
        while end < 0:
            known = len(held)
            held += file.read(PIECE)
            if len(held) == known or known > MAX_HEADER:
                reason = f"expected the end of a comment line, got {known - at} bytes of it without one"
                raise EventFileError(path, reason, known)
            end = held.find(b"\n", known)
        line = bytes(held[at:end].rstrip(b"\r"))
        if NO_TEXT.search(line):
            raise EventFileError(path, "expected a comment line of text, got other bytes in it", at)
        at = end + 1
        yield at, line


def size_line(sensor_size: tuple[int, int]) -> bytes:
    """A comment of ours: the sensor, where it is another than the camera that the header names."""
    return SIZE_LINE + b"%dx%d" % sensor_size


def size_in_line(line: bytes) -> tuple[int, int] | None:
    """The sensor's size where this is such a line and it makes sense."""
    match = re.fullmatch(rb"(\d{1,5})x(\d{1,5})", line.removeprefix(SIZE_LINE)) if line.startswith(SIZE_LINE) else None
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    return size if min(size) > 0 and max(size) <= 1 << 16 else None
