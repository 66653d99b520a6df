"""Spikes of a layer over its time steps, neurons sorted by the step at which they fire most.

The order comes from every other item and is shown on the rest too: neurons that only seem to have a time of their own,
by chance, keep it on the items that set the order and lose it on those that did not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurogen.plots.style import GROUND, INK, figure, layer_name, rising

LINES = 150


def peak_order(rates: NDArray[np.floating]) -> NDArray[np.int64]:
    """Neurons that fire at all, by peak step, then by mean step, then the most active first; rates: (T, M)."""
    total = rates.sum(0)
    steps = np.arange(len(rates))[:, None]
    mean_step = (rates * steps).sum(0) / np.maximum(total, 1e-12)
    order = np.lexsort((-total, mean_step, rates.argmax(0)))
    return order[total[order] > 0]


def time_cells_figure(spikes: NDArray[np.floating], name: str) -> Any:
    """spikes: (T, N, ...) of a layer called `name`, two items or more; None for a layer that never fires.

    Neurons next to each other in the order are drawn together, up to LINES lines, as the share of their spikes at each
    step; of one item each line is one neuron's spikes.
    """
    flat = spikes.reshape(*spikes.shape[:2], -1)
    halves = flat[:, ::2].mean(1), flat[:, 1::2].mean(1)  # (T, M) spikes of a neuron and step, a mean over items
    order = peak_order(halves[0])
    if not len(order):
        return None
    groups = np.array_split(order, min(LINES, len(order)))
    some = np.array([group[len(group) // 2] for group in groups])
    shown = {
        "items that set the order": _shares(halves[0], groups),
        "other items, same order": _shares(halves[1], groups),
        "spikes of one of these": flat[:, 1, some].T,
    }
    top = float(shown["items that set the order"].max())
    edges = np.flatnonzero(np.diff(halves[0].argmax(0)[some]))
    made, axes = figure(3, 1, width=2.9, height=4.2)
    for i, (axis, (title, lines)) in enumerate(zip(axes, shown.items(), strict=True)):
        limit = top if i < 2 else 1.0
        picture = axis.imshow(lines, aspect="auto", cmap=rising(), vmin=0, vmax=limit, interpolation="nearest")
        for edge in edges:
            axis.axhline(edge + 0.5, color=INK, linewidth=0.7, linestyle=(0, (4, 4)))
        for t in range(1, len(flat)):
            axis.axvline(t - 0.5, color=GROUND, linewidth=2)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("time step", fontsize=8)
        axis.set_xticks(range(len(flat)), [str(t + 1) for t in range(len(flat))])
        axis.set_yticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        if i == 1:
            bar = made.colorbar(picture, ax=axes[:2], pad=0.02, aspect=40)
            bar.set_label("share of its spikes", fontsize=8)
            bar.ax.tick_params(labelsize=7, length=2)
            bar.outline.set_visible(False)
    axes[0].set_ylabel(f"{len(order):,} of {flat.shape[2]:,} neurons, by their step of most spikes", fontsize=8)
    made.suptitle(f"{layer_name(name)}: when its neurons fire", fontsize=10)
    return made


def _shares(rates: NDArray[np.floating], groups: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    """(lines, T) share of each group's spikes at each step, 0 where it has none; rates: (T, M)."""
    sums = np.stack([rates[:, group].sum(1) for group in groups])
    return sums / np.maximum(sums.sum(1, keepdims=True), 1e-12)
