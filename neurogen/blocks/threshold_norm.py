"""Threshold-dependent batch norm (tdBN), and a layer with it and its neurons, as the Fully Spiking VAE has them.

    y = alpha V_th (x - mean) / sqrt(var + eps) w + b      mean, var: per channel over steps, items and places

(Zheng et al. 2021; FSVAE: Kamata, Mukuta and Harada 2022, alpha 1, and 2 in its posterior and prior.) w starts at 1 and
is the parameter, so that an optimiser's steps are as large against it as published; SpikingJelly's keeps alpha V_th w.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn

from neurogen.blocks.shared_norm import shared_batch_norm
from neurogen.config import NeuronConfig
from neurogen.neurons import make_neuron
from neurogen.processes import together


class ThresholdNorm(nn.BatchNorm2d):
    """(M, C) or (M, C, H, W) -> same, where M = T N; `scale` is alpha V_th."""

    shares_statistics = False
    """Whether moments are those of all processes (`share_statistics`)."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__(channels)
        self.scale = scale

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, scale={self.scale:g}"

    @property
    def gain(self) -> Tensor:
        """What a batch norm without the scale would have as its weight, (C,)."""
        return self.weight * self.scale

    def forward(self, x: Tensor, copies: int = 1) -> Tensor:
        """copies: how many equal steps x (M, ...) stands for, which the running variance counts."""
        if self.training and self.shares_statistics and together():
            return shared_batch_norm(self, x, self.gain, copies)
        assert self.momentum is not None and self.running_var is not None
        variance = self.running_var.clone() if self.training and copies > 1 else self.running_var
        y = nn.functional.batch_norm(
            x, self.running_mean, variance, self.gain, self.bias, self.training, self.momentum, self.eps
        )
        if variance is not self.running_var:  # its n / (n - 1) is to be of all copies
            count = x.numel() // x.shape[1]
            share = (count - 1) / count * (copies * count) / (copies * count - 1)
            kept = self.running_var * (1 - self.momentum)
            self.running_var.copy_((variance - kept) * share + kept)
        return y


class ThresholdStage(nn.Module):
    """A linear layer or convolution, tdBN, neurons: (T, N, ...) -> spikes (T, N, ...)."""

    def __init__(self, layer: nn.Module, channels: int, neurons: NeuronConfig, alpha: float = 1.0) -> None:
        super().__init__()
        self.layer = layer
        self.norm = ThresholdNorm(channels, alpha * neurons.threshold)
        self.neuron: BaseNode = make_neuron(neurons)

    def forward(self, x: Tensor) -> Tensor:
        current = self.norm(self.layer(x.flatten(0, 1)))
        return self.neuron(current.unflatten(0, x.shape[:2]))

    def forward_constant(self, x: Tensor, steps: int) -> Tensor:
        """The same for x (N, C, H, W) that is shown at every step: its current is computed once."""
        current = self.norm(self.layer(x), steps).movedim(1, -1)  # channels stay innermost
        return self.neuron(current.expand(steps, *current.shape).contiguous().movedim(-1, 2))


@contextmanager
def running_statistics(module: nn.Module) -> Iterator[None]:
    """While the block runs, batch norms in `module` compute as in eval mode: statistics are used, and stay."""
    layers = [layer for layer in module.modules() if isinstance(layer, ThresholdNorm) and layer.training]
    for layer in layers:
        layer.training = False
    try:
        yield
    finally:
        for layer in layers:
            layer.training = True
