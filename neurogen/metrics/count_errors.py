"""How far reconstructed event counts are from the true ones, in counts; added up block by block.

mse_counts_real, mse_counts_rounded   mean square of (expected - true) and of (whole counts - true) per cell
variance_of_counts                    what the best constant would score
total_error, total_bias               mean |sum / true sum - 1| and mean (sum / true sum - 1) of a recording
spurious                              share of the events where no true one is within a pixel, in that bin and sign
cell_count_tv                         total variation between the histograms of counts per cell
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.integer] | NDArray[np.floating]
MOST = 1 << 16  # counts per cell that the histograms tell apart


class CountErrors:
    """Sums of the figures over blocks of (N, T, 2, H, W)."""

    def __init__(self) -> None:
        self._cells = self._items = 0
        self._sums = dict.fromkeys(("true", "true_squared", "real", "rounded", "error", "bias", "lost", "events"), 0.0)
        self._histograms = np.zeros((2, MOST), np.int64)

    def add(self, true: Counts, expected: Counts, rounded: Counts) -> None:
        """true, expected (real-valued) and rounded counts of the same recordings."""
        true, rounded = true.astype(np.float64), rounded.astype(np.float64)
        totals = rounded.sum((1, 2, 3, 4)) / np.maximum(true.sum((1, 2, 3, 4)), 1) - 1
        new = {
            "true": true.sum(),
            "true_squared": np.square(true).sum(),
            "real": np.square(expected - true).sum(),
            "rounded": np.square(rounded - true).sum(),
            "error": np.abs(totals).sum(),
            "bias": totals.sum(),
            "lost": (rounded * (neighbourhood(true) == 0)).sum(),
            "events": rounded.sum(),
        }
        self._sums = {key: value + float(new[key]) for key, value in self._sums.items()}
        self._cells, self._items = self._cells + true.size, self._items + len(true)
        for row, counts in zip(self._histograms, (rounded, true), strict=True):
            whole = np.clip(np.round(counts), 0, MOST - 1).astype(np.int64)
            row += np.bincount(whole.ravel(), minlength=MOST)

    def figures(self) -> dict[str, float]:
        """All of them, over everything added."""
        sums, cells, items = self._sums, max(self._cells, 1), max(self._items, 1)
        made, real = self._histograms / cells
        return {
            "variance_of_counts": sums["true_squared"] / cells - (sums["true"] / cells) ** 2,
            "mse_counts_real": sums["real"] / cells,
            "mse_counts_rounded": sums["rounded"] / cells,
            "total_error": sums["error"] / items,
            "total_bias": sums["bias"] / items,
            "spurious": sums["lost"] / max(sums["events"], 1.0),
            "cell_count_tv": float(np.abs(made - real).sum() / 2),
        }


def neighbourhood(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over 3x3 pixels of the same bin and polarity of (..., H, W)."""
    padded = np.pad(counts, [(0, 0)] * (counts.ndim - 2) + [(1, 1)] * 2)
    height, width = counts.shape[-2:]
    total = np.zeros(counts.shape)
    for y in range(3):
        for x in range(3):
            total += padded[..., y : y + height, x : x + width]
    return total
