"""What a filter remembers from one part of a recording to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class Memory:
    """Carried by the caller through the parts of one recording; every filter of a chain needs its own.

    `for part in iterate(path, events=100_000): denoise(part, memory=memory)` keeps the very events that `denoise` keeps
    of the whole recording. pixels: (rows, columns) int64, what the filter knows of each; first_us: the first time.
    """

    pixels: NDArray[np.int64] | None = None
    first_us: int | None = None

    def of_pixels(self, shape: tuple[int, int], at_first: int) -> NDArray[np.int64]:
        """The array, filled with at_first when it is new; raises ValueError for a recording of another sensor."""
        if self.pixels is None:
            self.pixels = np.full(shape, at_first, np.int64)
        if self.pixels.shape != shape:
            raise ValueError(
                f"expected parts of one sensor with one memory, got {shape} after {self.pixels.shape} pixels; "
                f"begin each recording with a new Memory()"
            )
        return self.pixels
