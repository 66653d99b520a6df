"""How often neurons fire, a bar a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurogen.plots.style import OFF, ON, figure, layer_name

THIRD = "#f9a03f"  # beside ON and OFF
COLOURS = {"encoder": ON, "codebook": ON, "decoder": OFF, "prior": THIRD, "latent": THIRD, "output": OFF}


def rates_figure(rates: Mapping[str, float]) -> Any:
    """One bar per spiking layer, in the colour of the part of the model that it belongs to; rates in [0, 1]."""
    made, (axis,) = figure(1, 1, width=8.0, height=0.26 * len(rates) + 0.8)
    colours = [COLOURS.get(name.split(".")[0], ON) for name in rates]
    bars = axis.barh(range(len(rates)), list(rates.values()), color=colours, height=0.7)
    axis.bar_label(bars, fmt="%.3f", fontsize=8, padding=3)
    axis.set_yticks(range(len(rates)), [layer_name(name) for name in rates], fontsize=8)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(rates) - 0.4, -0.6)
    axis.set_xlabel("spikes per neuron and time step", fontsize=8)
    return made
