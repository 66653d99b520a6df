"""Threshold-dependent batch norm (tdBN), and a layer with it and its neurons, as the Fully Spiking VAE has them.

    y = alpha V_th (x - mean) / sqrt(var + eps) w + b      mean, var: per channel over steps, items and places

(Zheng et al. 2021; FSVAE: Kamata, Mukuta and Harada 2022, alpha 1, and 2 in its posterior and prior.) w starts at 1 and
is the parameter, so that an optimiser's steps are as large against it as published; SpikingJelly's keeps alpha V_th w.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn

from neurogen.blocks.shared_norm import shared_batch_norm
from neurogen.config import NeuronConfig
from neurogen.neurons import make_neuron
from neurogen.processes import together

Layer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


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

    def forward(self, x: Tensor, copies: int = 1, missing: Tensor | None = None) -> Tensor:
        """copies: how many equal steps x (M, ...) stands for, which the running variance counts.

        missing: (C,) what x lacks: in training only the running mean sees it, in eval mode it may not be left out.
        """
        if not self.training:
            return nn.functional.batch_norm(x, self.running_mean, self.running_var, self.gain, self.bias, eps=self.eps)
        if self.shares_statistics and together():
            return shared_batch_norm(self, x, self.gain, copies, missing)
        assert self.momentum is not None and self.running_mean is not None and self.running_var is not None
        mean, variance = self.running_mean.clone(), self.running_var.clone()
        y = nn.functional.batch_norm(x, mean, variance, self.gain, self.bias, True, self.momentum, self.eps)
        with torch.no_grad():
            if copies > 1:  # n / (n - 1) is to be of all copies
                count = x.numel() // x.shape[1]
                share = (count - 1) / count * (copies * count) / (copies * count - 1)
                variance = torch.lerp(self.running_var * (1 - self.momentum), variance, share)
            self.running_var.copy_(variance)
            self.running_mean.copy_(mean if missing is None else mean.add(missing, alpha=self.momentum))
        return y


class ThresholdStage(nn.Module):
    """A linear layer or convolution, tdBN, neurons: (T, N, ...) -> spikes (T, N, ...).

    In training batch norm takes the layer's bias away again, so that it has no gradient and is not computed.
    """

    def __init__(self, layer: Layer, channels: int, neurons: NeuronConfig, alpha: float = 1.0) -> None:
        super().__init__()
        self.layer = layer
        assert layer.bias is not None
        layer.bias.requires_grad_(False)
        self.norm = ThresholdNorm(channels, alpha * neurons.threshold)
        self.neuron: BaseNode = make_neuron(neurons)

    def forward(self, x: Tensor) -> Tensor:
        return self.neuron(self.current(x.flatten(0, 1)).unflatten(0, x.shape[:2]))

    def forward_constant(self, x: Tensor, steps: int) -> Tensor:
        """The same for x (N, C, H, W) that is shown at every step: its current is computed once."""
        current = self.current(x, steps).movedim(1, -1)  # channels stay innermost
        return self.neuron(current.expand(steps, *current.shape).contiguous().movedim(-1, 2))

    def current(self, x: Tensor, copies: int = 1) -> Tensor:
        """Input current of the neurons: (M, ...) -> (M, ...); copies: how many equal steps x stands for."""
        if not self.norm.training:
            return self.norm(self.layer(x))
        return self.norm(_without_bias(self.layer, x), copies, self.layer.bias)


def _without_bias(layer: Layer, x: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(x, layer.weight)
    if isinstance(layer, nn.ConvTranspose2d):
        return nn.functional.conv_transpose2d(x, layer.weight, None, layer.stride, layer.padding, layer.output_padding)
    return nn.functional.conv2d(x, layer.weight, None, layer.stride, layer.padding)


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
