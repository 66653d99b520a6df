"""Animated GIF (CompuServe, GIF89a, 1990), picture by picture: of each only what changed, equal ones once for longer.

"GIF89a" | width, height u16, flags, background, aspect u8 | colour table, 3 bytes a colour, 2^k of them
"!" FF 0B "NETSCAPE2.0" 03 01 00 00 00 : for ever
a picture: "!" F9 04 | flags u8, delay u16 in 1/100 s, transparent u8 | 00 | descriptor, LZW data (by Pillow)
";"
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.viewer.pillow import gif_picture

MAX_DELAY = 65535
MAX_COLOURS = 255  # and a transparent one
FASTEST = 50  # pictures a second: browsers slow down what is faster


class Gif:
    """Takes the pictures of a film, (H, W) places in its colour table; fps from 1 to 50."""

    def __init__(self, file: BinaryIO, size: tuple[int, int], table: NDArray[np.uint8], fps: float) -> None:
        if not 1 <= fps <= FASTEST:
            raise ValueError(f"expected fps from 1 to {FASTEST} for a GIF, got {fps}")
        assert len(table) <= MAX_COLOURS
        self._file, self._fps, self._transparent = file, fps, len(table)
        bits = max(1, len(table).bit_length())
        colours = table.tobytes().ljust(3 << bits, b"\0")
        file.write(struct.pack("<6sHHBBB", b"GIF89a", *size, 0xF0 | bits - 1, 0, 0) + colours)
        file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")
        self._last: NDArray[np.uint8] | None = None
        self._held: bytes = b""
        self._began, self._count = 0, 0

    def add(self, picture: NDArray[np.uint8]) -> None:
        """One more picture."""
        if self._last is None:
            self._held = gif_picture(picture, 0, 0)
        else:
            box = changed(self._last, picture)
            if box is None and self._delay() >= MAX_DELAY:
                box = (0, 1, 0, 1)
            if box is not None:
                self._give()
                top, bottom, left, right = box
                new, old = picture[top:bottom, left:right], self._last[top:bottom, left:right]
                self._held = gif_picture(np.where(new == old, np.uint8(self._transparent), new), left, top)
                self._began = self._count
        self._last = picture
        self._count += 1

    def finish(self) -> None:
        """The last picture, and the end."""
        self._give()
        self._file.write(b";")

    def close(self) -> None:
        """Nothing is left open."""

    def _delay(self) -> int:
        """Hundredths of a second that the picture which is held has been seen; rounded so that none gets lost."""
        return round(100 * self._count / self._fps) - round(100 * self._began / self._fps)

    def _give(self) -> None:
        """Write the picture that is held, now that it is known how long it stays."""
        flags = 1 << 2 | 1  # it stays under the next one; transparency
        delay = min(self._delay(), MAX_DELAY)
        self._file.write(struct.pack("<3sBHBB", b"!\xf9\x04", flags, delay, self._transparent, 0) + self._held)


def changed(old: NDArray[np.uint8], new: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """Top, bottom, left and right of where two pictures differ; None where they do not."""
    differ = old != new
    rows = np.flatnonzero(differ.any(1))
    if not len(rows):
        return None
    columns = np.flatnonzero(differ.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
