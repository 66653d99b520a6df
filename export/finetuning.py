"""Training on the chip's grid: weights that are 8-bit multiples of one step a layer while they are learnt.

Around any training loop:

    export.prepare(module, example)     the forward now sees rounded weights, the gradient passes straight through
    ...                                 train as before
    export.finish(module)               plain weights again, each exactly on its layer's grid

What is rounded is what is exported: weights with their batch norm folded in, biases, gains of skips; leaks become
multiples of 1 / 4096 once. A layer's step is 1 / S with the largest scale S at which weights fit 8 bits and "fires at
theta" is exact (`scales.py`), so that `quantise` finds the same integers.
Straight-through estimator: Bengio et al., arXiv 1308.3432; folded batch norm: Jacob et al., arXiv 1712.05877, 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from export import neurons
from export.grids import Layer, layers_of, lift
from export.limits import LOIHI2, Limits
from export.observing import Group, observe
from export.reader import read
from export.scales import Firing, decay


def prepare(
    module: nn.Module, example_input: Tensor, per_channel: bool = False, *, limits: Limits = LOIHI2
) -> nn.Module:
    """Put the module's weights, biases and leaks on a chip's grid, in place, and return it.

    example_input: as for `read`. Parameters stay the same objects under the same optimiser. Weights that only the host
    sees (before the first spikes, after the last) are left alone, and so are batch statistics. per_channel: one step a
    channel, as in `quantise`. A checkpoint of a prepared module is loaded into a prepared one. Raises Refusal for a
    module that cannot be exported, ValueError for one that is prepared already or has no layer for the chip.
    """
    if layers_of(module):
        raise ValueError("expected a module that is not on a grid yet, got one that is; finish it first")
    with _as_if_trained(module):
        read(module, example_input)
    groups = observe(module, example_input)
    if not groups:
        raise ValueError(
            "expected a layer of neurons that takes spikes, got none (what takes real values stays on the host); "
            "give the network one more layer"
        )
    for group in groups:
        _round_leak(group.neuron)
        Layer(group, _firing(group, module), per_channel, limits).install()
    return module


@torch.no_grad()
def finish(module: nn.Module) -> nn.Module:
    """Leave plain parameters on the grid, in place, and return the module.

    Batch norms keep their place and only add the bias. Raises ValueError for a module that was not prepared.
    """
    layers = layers_of(module)
    if not layers:
        raise ValueError("expected a module that was prepared, got one whose weights are on no grid; prepare it first")
    settled = [values for layer in layers for values in layer.settled()]
    lift(module)
    for parameter, values in settled:
        parameter.copy_(values)
    return module


def _firing(group: Group, module: nn.Module) -> Firing:
    found = neurons.find(group.neuron)
    assert found is not None and found.neuron is not None
    neuron = found.neuron
    values = [np.unique(value) for value in (neuron.leak, neuron.gain, neuron.threshold)]
    if any(len(value) > 1 for value in values):
        name = next(name for name, part in module.named_modules() if part is group.neuron)
        raise ValueError(f"{name}: expected one leak and one threshold, they differ by channel; use one number")
    leak, gain, threshold = (float(value[0]) for value in values)
    return Firing(leak, threshold / gain, neuron.strict)


@torch.no_grad()
def _round_leak(neuron: Any) -> None:
    """Leaks on k / 4096, k at least 1; learnt time constants and thresholds are held from here on."""
    for parameter in neuron.parameters():
        parameter.requires_grad_(False)
    found = neurons.find(neuron)
    assert found is not None and found.neuron is not None
    leak = float(np.unique(found.neuron.leak)[0])
    if leak in (0.0, 1.0):
        return
    k = max(1, decay(leak))
    if hasattr(neuron, "w"):
        neuron.w.fill_(np.log(k / (4096 - k)) if k < 4096 else 30.0)
    elif isinstance(getattr(neuron, "beta", None), Tensor):
        neuron.beta.fill_(1 - k / 4096)
    elif isinstance(neuron.tau, Tensor):
        neuron.tau.fill_(4096 / k)
    else:
        neuron.tau = 4096 / k


@contextmanager
def _as_if_trained(module: nn.Module) -> Iterator[None]:
    """Batch norms that saw no batch yet count as trained inside, since training comes after."""
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm)]
    counts = [norm.num_batches_tracked for norm in norms]
    try:
        for norm, count in zip(norms, counts, strict=True):
            norm.num_batches_tracked = None if count is None else torch.ones_like(count)
        yield
    finally:
        for norm, count in zip(norms, counts, strict=True):
            norm.num_batches_tracked = count
