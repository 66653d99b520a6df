"""Membranes of some neurons over the time steps of one item, with their threshold and spikes.

Within a step the membrane goes from where the last reset left it to where its input lifts it; at the threshold or
above it fires and is reset. Neurons are chosen so that each pattern of spikes is shown once, the commonest first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurogen.plots.activity import Activity
from neurogen.plots.style import OFF, ON, figure, layer_name

SHOWN, COLUMNS = 8, 4


def chosen_neurons(spikes: NDArray[np.floating], lifted: NDArray[np.floating]) -> list[tuple[int, float]]:
    """(neuron, share of all neurons with its pattern) for the commonest patterns of spikes (T, M).

    Of each pattern the neuron whose largest membrane (`lifted`, (T, M)) is the median one.
    """
    _, which, counts = np.unique(spikes.astype(bool), axis=1, return_inverse=True, return_counts=True)
    found = []
    for pattern in np.argsort(-counts, kind="stable")[:SHOWN]:
        members = np.flatnonzero(which.ravel() == pattern)
        by_height = members[np.argsort(lifted[:, members].max(0), kind="stable")]
        found.append((int(by_height[(len(by_height) - 1) // 2]), float(counts[pattern] / spikes.shape[1])))
    return found


def trajectory(
    before: NDArray[np.floating], after: NDArray[np.floating], rest: float
) -> tuple[list[float], list[float]]:
    """Steps and membranes to draw a line through, of one neuron's (T,) membranes before and after the reset."""
    x, y = [0.0], [rest]
    for t, (h, v) in enumerate(zip(before, after, strict=True), 1):
        x += [t, t]
        y += [float(h), float(v)]
    return x, y


def membranes_figure(activity: Activity, name: str, item: int = 0) -> Any:
    """Of a layer called `name`, in one item: up to eight neurons."""
    before, after = (each[:, item].flatten(1).numpy() for each in activity.membranes())
    spikes, threshold = activity.spikes[:, item].flatten(1).numpy(), activity.dynamics.threshold
    shape, steps = activity.spikes.shape[2:], len(spikes)
    neurons = chosen_neurons(spikes, before)
    lines = -(-len(neurons) // COLUMNS)
    made, axes = figure(min(len(neurons), COLUMNS), lines, width=2.3, height=1.9)
    heights = np.concatenate([each[:, [n for n, _ in neurons]].ravel() for each in (before, after)])
    low, high = min(float(heights.min()), 0.0), max(float(heights.max()), threshold)
    room = 0.12 * (high - low)
    for axis, (neuron, share) in zip(axes, neurons, strict=False):
        axis.axhline(threshold, color=OFF, linewidth=0.9, linestyle=(0, (4, 3)))
        x, y = trajectory(before[:, neuron], after[:, neuron], activity.dynamics.rest)
        axis.plot(x, y, color=ON, linewidth=1.4, solid_joinstyle="round")
        fired = np.flatnonzero(spikes[:, neuron])
        axis.plot(fired + 1, before[fired, neuron], "o", color=OFF, markersize=4.5)
        axis.set_xlim(0, steps + 0.1)
        axis.set_ylim(low - room, high + room)
        axis.set_xticks(range(steps + 1))
        axis.tick_params(length=2, labelsize=7)
        axis.set_title(f"{_place(neuron, tuple(shape))} · {share:.0%} like it", fontsize=8)
    for axis in axes[len(neurons) :]:
        axis.remove()
    for i, axis in enumerate(axes[: len(neurons)]):
        if i % COLUMNS:
            axis.tick_params(labelleft=False)
        else:
            axis.set_ylabel("membrane", fontsize=8)
        if i + COLUMNS >= len(neurons):
            axis.set_xlabel("time step", fontsize=8)
    axes[0].annotate("threshold", (0, threshold), (3, 2), textcoords="offset points", color=OFF, fontsize=7)
    made.suptitle(f"{layer_name(name)}: membranes of one item, a dot is a spike", fontsize=10)
    return made


def _place(neuron: int, shape: tuple[int, ...]) -> str:
    """Where a neuron is: its channel and site on a map, its number elsewhere."""
    if len(shape) != 3:
        return f"neuron {neuron}"
    channel, row, column = (int(i) for i in np.unravel_index(neuron, shape))
    return f"channel {channel} at {row}, {column}"
