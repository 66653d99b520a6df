"""What the neurons of a network do while it runs: input currents and spikes, and from these their membranes.

Nothing is changed in the network: its neurons hand over what goes in and what comes out, and the membrane is computed
once more by the same equations (`neurons/dynamics.py`). Shapes: T steps, N items.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn

from neurogen.neurons.dynamics import Dynamics, charged


@dataclass(frozen=True, eq=False)
class Activity:
    """Of one layer, on the CPU: currents (T, N, ...), spikes (T, N, ...) in {0, 1}."""

    currents: Tensor
    spikes: Tensor
    dynamics: Dynamics

    @property
    def rate(self) -> float:
        """Spikes of a neuron and step."""
        return float(self.spikes.mean())

    def membranes(self) -> tuple[Tensor, Tensor]:
        """(T, N, ...) each: before the threshold is met, and after the reset."""
        d, share = self.dynamics, self.dynamics.share
        v = torch.full_like(self.currents[0], d.rest)
        before, after = [], []
        for current, s in zip(self.currents, self.spikes, strict=True):
            h = charged(v, current, d, share)
            v = h - s * d.drop if d.reset is None else (1 - s) * h + s * d.reset
            before.append(h)
            after.append(v)
        return torch.stack(before), torch.stack(after)


@contextmanager
def watched_neurons(module: nn.Module) -> Iterator[dict[str, Activity]]:
    """Collects {layer name: activity} while the block runs; of a layer that is called several times, as one that is run
    step by step is, the calls follow each other in time."""
    found: dict[str, Activity] = {}

    def watch(name: str, layer: Any) -> Any:
        def hook(layer: Any, inputs: tuple[Tensor, ...], spikes: Tensor) -> None:
            currents, fired = inputs[0].detach().cpu().float(), spikes.detach().cpu().float()
            if name in found:
                currents = torch.cat((found[name].currents, currents))
                fired = torch.cat((found[name].spikes, fired))
            found[name] = Activity(currents, fired, layer.dynamics())

        return layer.register_forward_hook(hook)

    handles = [watch(name, layer) for name, layer in module.named_modules() if isinstance(layer, BaseNode)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
