"""What a chip does with real samples: spikes that each layer takes and makes, and the accumulates that they cause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from export.chip import Chip, ChipLayer
from export.cost import Connections
from export.running import run
from export.simulator import on_chip


@dataclass
class Activity:
    """Of one layer, over all steps and samples.

    spikes: of all its neurons; own_spikes: without those that are only carried on; accumulates: for each spike that
    comes in, the synapses that it leads to, zero weights and padding left out.
    """

    spikes: int = 0
    own_spikes: int = 0
    accumulates: int = 0


class Counter:
    """Neurons for `simulator.run_chain` that are the chip's, and count what leaves them in `layers`, one a layer."""

    def __init__(self, chip: Chip, found: list[Connections], inputs: ArrayLike) -> None:
        self.layers = [Activity() for _ in chip.layers]
        self._places = {id(layer): index for index, layer in enumerate(chip.layers)}
        self._fan_out = [torch.from_numpy(one.fan_out).flatten().to(torch.int64) for one in found]
        messages = torch.from_numpy(np.asarray(entering(chip, inputs)) != 0)
        self._pass_on(0, messages.flatten(2).sum((0, 1)))

    def __call__(self, layer: ChipLayer, a: torch.Tensor) -> torch.Tensor:
        values, index = on_chip(layer, a), self._places[id(layer)]
        if layer.output == "spikes":
            each = values.flatten(2).sum((0, 1))  # of each neuron
            self.layers[index].spikes += int(each.sum())
            self.layers[index].own_spikes += int(each[torch.from_numpy(layer.layout.places())].sum())
            self._pass_on(index + 1, each)
        return values

    def _pass_on(self, index: int, each: torch.Tensor) -> None:
        if index < len(self.layers):
            self.layers[index].accumulates += int(each @ self._fan_out[index])


def entering(chip: Chip, inputs: ArrayLike) -> NDArray[np.generic]:
    """(T, N, ...) what enters the chip: the input, or what the host makes of it."""
    if chip.encoder is None:
        return np.asarray(inputs)
    return run(chip.encoder, inputs)[chip.encoder.layers[-1].name]
