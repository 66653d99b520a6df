"""A neuron or gate from its configuration."""

from __future__ import annotations

from torch import nn

from neurogen.config import NeuronConfig
from neurogen.neurons.delayed_reset import DelayedReset
from neurogen.neurons.gate import Gate
from neurogen.neurons.lif import IF, LIF, PLIF
from neurogen.neurons.surrogate import SURROGATES, Rect


def make_neuron(config: NeuronConfig) -> LIF | IF | PLIF | DelayedReset:
    """A fresh multi-step neuron layer."""
    if config.kind == "delayed":
        return DelayedReset(1 - 1 / config.tau, config.threshold, _surrogate(config), backend=config.backend)
    common = {
        "v_threshold": config.threshold,
        "v_reset": config.reset,
        "surrogate_function": _surrogate(config),
        "detach_reset": config.detach_reset,
        "backend": config.backend,
    }
    if config.kind == "if":
        return IF(**common)
    if config.kind == "plif":
        return PLIF(init_tau=config.tau, decay_input=config.decay_input, **common)
    return LIF(tau=config.tau, decay_input=config.decay_input, **common)


def _surrogate(config: NeuronConfig) -> nn.Module:
    """A box is around the threshold (rect; FSVAE's paper) or, as in FSVAE's release ("code"), around membrane 0."""
    if config.surrogate in ("code", "paper"):
        return Rect(1.0 / config.alpha, -config.threshold if config.surrogate == "code" else 0.0)
    return SURROGATES[config.surrogate](config.alpha)


def compile_neurons(module: nn.Module) -> None:
    """Have the neurons in `module` run compiled on the CPU, where there is a compiler (`compiled.py`)."""
    for layer in module.modules():
        if isinstance(layer, (IF, LIF, PLIF, DelayedReset)):
            layer.compiled = True


def make_gate(config: NeuronConfig) -> Gate:
    """A fresh gate x * LIF(x)."""
    return Gate(make_neuron(config))
