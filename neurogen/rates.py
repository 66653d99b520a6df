"""Firing rate of each spiking layer: the share of its neurons that fire per time step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn


def neuron_names(module: nn.Module) -> list[str]:
    """Dotted names of the spiking layers, in definition order."""
    return [name for name, layer in module.named_modules() if isinstance(layer, BaseNode)]


@contextmanager
def watched_rates(module: nn.Module) -> Iterator[dict[str, float]]:
    """Collects {layer name: rate in [0, 1]} while the block runs; a layer called twice keeps its last rate."""
    rates: dict[str, float] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_layer: nn.Module, _inputs: Any, spikes: Tensor) -> None:
            rates[name] = float(spikes.detach().mean())

        return hook

    handles = [
        layer.register_forward_hook(keep(name)) for name, layer in module.named_modules() if isinstance(layer, BaseNode)
    ]
    try:
        yield rates
    finally:
        for handle in handles:
            handle.remove()


@torch.inference_mode()
def firing_rates(module: nn.Module, x: Tensor) -> dict[str, float]:
    """Rates of every neuron layer of `module` on the batch x, in eval mode; the module's mode is restored."""
    training = module.training
    module.eval()
    try:
        with watched_rates(module) as rates:
            module(x)
    finally:
        module.train(training)
    return rates
