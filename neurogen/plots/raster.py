"""Latents of a few items: spikes as a raster over time steps (FSVAE, Fig. 9), real numbers as colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurogen.plots.style import LOOK, OFF, ON, bare, blank, diverging


def raster_figure(latents: NDArray[np.floating], pictures: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> Any:
    """latents: (N, T, C) in {0, 1}, a column a step, or (N, L) real; pictures: N of (H, W) or (H, W, 3) uint8, each
    above its item's latents; names: N titles.

    Latents are sorted, spikes by how often they fire in these items and numbers by how much they differ between them,
    the most above.
    """
    count, spikes = len(latents), latents.ndim == 3
    made = blank(1.35 * count, 5.4)
    grid = made.add_gridspec(2, count, height_ratios=(1, 3))
    raster = made.add_subplot(grid[1, :])
    raster.spines[["top", "right"]].set_visible(False)
    columns = latents if spikes else latents[:, None]  # (N, T or 1, C)
    by = latents.mean((0, 1)) if spikes else latents.std(0)
    order = np.argsort(-by, kind="stable")
    (_mark if spikes else _colour)(raster, columns[..., order])
    width, height = columns.shape[1], columns.shape[2]
    for n, picture in enumerate(pictures):
        axis = made.add_subplot(grid[0, n])
        axis.imshow(picture, cmap="gray" if picture.ndim == 2 else None, vmin=0, vmax=255, interpolation="nearest")
        bare(axis)
        raster.axvline(n * width - 0.5, color=LOOK.pale, linewidth=0.8, alpha=0.7)
    raster.set(xlim=(-0.5, count * width - 0.5), ylim=(height - 0.5, -0.5))
    raster.set_xticks([(n + 0.5) * width - 0.5 for n in range(count)], list(names))
    raster.tick_params(axis="x", length=0, labelsize=8)
    raster.tick_params(axis="y", length=2, labelsize=7)
    silent = int((by == 0).sum())
    raster.set_xlabel(f"{width} time steps of each item" if spikes else "each item", fontsize=8)
    said = "by how often it fires" + (f"; {silent} of {height} never" if silent else "")
    raster.set_ylabel(f"latent, {said if spikes else 'by how much it varies'}", fontsize=8)
    return made


def _mark(axis: Any, spikes: NDArray[np.floating]) -> None:
    item, step, latent = spikes.nonzero()
    size = max(1.5, min(9.0, 1100 / spikes.shape[2]))
    axis.scatter(item * spikes.shape[1] + step, latent, c=np.where(item % 2, OFF, ON), s=size, marker="s", linewidths=0)


def _colour(axis: Any, numbers: NDArray[np.floating]) -> None:
    values = numbers[:, 0].T  # (L, N)
    limit = float(np.quantile(np.abs(values), 0.99)) or 1.0
    picture = axis.imshow(values, aspect="auto", cmap=diverging(), vmin=-limit, vmax=limit, interpolation="nearest")
    axis.figure.colorbar(picture, ax=axis, pad=0.01, aspect=40).ax.tick_params(labelsize=7)
