"""Many N-MNIST recordings straight from their bytes to counts, in threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

RULES = ("time", "published")
DENOISE = ("off", "published", "corrected")


def nmnist_counts(
    buffers: Sequence[bytes],
    steps: int,
    by: str = "time",
    denoise: str = "off",
    sensor_size: tuple[int, int] = (34, 34),
    threads: int = 2,
    window_us: int = 10_000,
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Counts (N, T, 2, H, W) uint16 and edges (N, T + 1) microseconds of raw .bin files.

    Equal to `to_frames(denoise(read(...)), steps, by)` of each. Raises ValueError that names the recording's position
    for a cut record, an event outside the sensor, times that decrease, or a count above 65535.
    """
    from event_tools.kernels.nmnist import nmnist_frames

    if by not in RULES:
        raise ValueError(f"expected by to be {' or '.join(RULES)}, got {by!r}")
    if denoise not in DENOISE:
        raise ValueError(f"expected denoise to be {', '.join(DENOISE)}, got {denoise!r}")
    width, height = sensor_size
    counts = np.zeros((len(buffers), steps, 2, height, width), np.uint16)
    edges = np.zeros((len(buffers), steps + 1), np.int64)
    window = 0 if denoise == "off" else window_us

    def one(i: int) -> None:
        data = np.frombuffer(buffers[i], np.uint8)
        if len(data) % 5:
            raise ValueError(f"recording {i}: expected records of 5 bytes, the last one has {len(data) % 5}")
        wrong = nmnist_frames(data, steps, by == "published", window, denoise == "published", counts[i], edges[i])
        if wrong < 0:
            raise ValueError(f"recording {i}: expected counts up to 65535, a pixel has more in one bin; use more steps")
        if wrong:
            raise ValueError(
                f"recording {i}: event {wrong - 1} at byte {5 * (wrong - 1)} lies outside {width}x{height} "
                f"or before its predecessor"
            )

    if threads > 1 and len(buffers) > 1:
        with ThreadPoolExecutor(threads) as pool:
            parts = np.array_split(np.arange(len(buffers)), threads * 4)
            list(pool.map(lambda part: [one(i) for i in part], parts))
    else:
        for i in range(len(buffers)):
            one(i)
    return counts, edges
