"""Figures of codes: which a few items have, which rows or bits are used, and the rows themselves as time cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurogen.codebook import CodeForm
from neurogen.plots.style import INK, LOOK, OFF, ON, bare, blank, diverging, figure

ROWS_SHOWN = 48


def bits_figure(real: NDArray[np.integer], generated: NDArray[np.integer]) -> Any:
    """How often each bit is 1 at each step in real and in generated codes, bits (N, T, m, h, w)."""
    made, (axis,) = figure(1, 1, width=8.0, height=2.7)
    rates = [bits.mean((0, 3, 4)).ravel() for bits in (real, generated)]  # step by step
    steps, bits = real.shape[1:3]
    places = np.arange(steps * bits)
    for rate, colour, shift, name in zip(rates, (ON, OFF), (-0.2, 0.2), ("real", "generated"), strict=True):
        axis.bar(places + shift, 100 * rate, width=0.4, color=colour, label=name)
    for t in range(1, steps):
        axis.axvline(t * bits - 0.5, color=INK, linewidth=0.8)
    axis.set(ylabel="% of sites", xticks=[(t + 0.5) * bits - 0.5 for t in range(steps)])
    axis.set_xticklabels([f"step {t + 1}" for t in range(steps)], fontsize=8)
    axis.set_title(f"how often each of {bits} bits is 1", fontsize=10)
    axis.legend(fontsize=8, frameon=False)
    return made


def codebook_figure(real: NDArray[np.int64], generated: NDArray[np.int64], table: NDArray[Any], steps: int) -> Any:
    """Which rows real and generated codes choose, and the most used rows as (row, T x D) time cells.

    real, generated: codes of any shape; table: (K, T * D), time major; T is 1 where a row is of one step.
    """
    size = len(table)
    shares = [np.bincount(codes.ravel(), minlength=size) / codes.size for codes in (real, generated)]
    order = np.argsort(-shares[0], kind="stable")
    made, axes = figure(2, 1, width=6.5, height=3.8)
    axes[0].fill_between(
        range(size), 100 * shares[0][order], step="mid", color=ON, alpha=0.35, linewidth=0, label="real"
    )
    axes[0].step(range(size), 100 * shares[1][order], where="mid", color=OFF, linewidth=0.9, label="generated")
    axes[0].set(xlabel="row, by use in real recordings", ylabel="% of sites", xlim=(-0.5, size - 0.5))
    axes[0].set_ylim(bottom=0)
    axes[0].set_title("which rows fire", fontsize=10)
    axes[0].legend(fontsize=8, frameon=False)
    rows = table[order[: min(ROWS_SHOWN, size)]]
    limit = float(np.quantile(np.abs(rows), 0.99)) or 1.0
    picture = axes[1].imshow(rows, aspect="auto", cmap=diverging(), vmin=-limit, vmax=limit, interpolation="nearest")
    made.colorbar(picture, ax=axes[1], pad=0.01, aspect=40).ax.tick_params(labelsize=7)
    width = table.shape[1] // steps
    for t in range(1, steps):
        axes[1].axvline(t * width - 0.5, color=INK, linewidth=0.8)
    axes[1].set(ylabel="row, by use", xticks=[(t + 0.5) * width - 0.5 for t in range(steps)])
    axes[1].set_xticklabels([f"step {t + 1}" for t in range(steps)], fontsize=8)
    axes[1].set_title(f"the {len(rows)} most used rows as time cells", fontsize=10)
    return made


def latents_figure(
    codes: NDArray[np.integer], form: CodeForm, pictures: Sequence[NDArray[np.uint8]], names: Sequence[str]
) -> Any:
    """The codes of a few items as a raster, a picture of each above: which row of the codebook, or which bits, where.

    codes: (N, *form.item_shape); pictures: N of (H, W) or (H, W, 3) uint8; names: N titles. A column is a
    site in raster order, within its time step where steps have codes of their own; rows of the codebook are sorted by
    use in these items.
    """
    steps, sites, count = max(form.steps, 1), form.height * form.width, len(codes)
    width = steps * sites
    made = blank(1.5 * count, 5.2)
    grid = made.add_gridspec(2, count, height_ratios=(1, 2.6))
    raster = made.add_subplot(grid[1, :])
    raster.spines[["top", "right"]].set_visible(False)
    height = _mark_codes(raster, codes, form)
    for n, picture in enumerate(pictures):
        axis = made.add_subplot(grid[0, n])
        axis.imshow(picture, cmap="gray" if picture.ndim == 2 else None, vmin=0, vmax=255, interpolation="nearest")
        bare(axis)
        for t in range(steps):
            edge = n * width + t * sites - 0.5
            raster.axvline(edge, color=LOOK.pale, linewidth=0.8 if t == 0 else 0.3, alpha=0.7 if t == 0 else 0.5)
    raster.set(xlim=(-0.5, count * width - 0.5), ylim=(height - 0.5, -0.5))
    raster.set_xticks([(n + 0.5) * width - 0.5 for n in range(count)], list(names))
    raster.tick_params(axis="x", length=0, labelsize=8)
    raster.tick_params(axis="y", length=2, labelsize=7)
    places = f"{form.height} x {form.width} sites" + (f" in each of {steps} steps" if form.steps else "")
    raster.set_xlabel(f"{places} of each item, row by row", fontsize=8)
    rows = f"row of the codebook, by use ({height} of {form.size} here)"
    raster.set_ylabel("bit" if form.bits else rows, fontsize=8)
    return made


def _mark_codes(axis: Any, codes: NDArray[np.integer], form: CodeForm) -> int:
    """Mark every code at its row, or every bit that is 1, at its column; returns the number of rows."""
    if form.bits:
        item, step, row, site = codes.reshape(len(codes), max(form.steps, 1), form.bits, -1).nonzero()
        height = form.bits
    else:
        flat = codes.reshape(len(codes), max(form.steps, 1), -1)
        used, counts = np.unique(flat, return_counts=True)
        rank = np.empty(form.size, np.int64)
        rank[used[np.argsort(-counts, kind="stable")]] = np.arange(len(used))
        item, step, site = np.indices(flat.shape).reshape(3, -1)
        row, height = rank[flat].ravel(), len(used)
    sites = form.height * form.width
    column = (item * max(form.steps, 1) + step) * sites + site
    colours = np.where(item % 2, OFF, ON)
    axis.scatter(column, row, c=colours, s=max(2.0, min(9.0, 900 / height)), marker="s", linewidths=0)
    return height
