"""Blocks of the strictly spiking kind: convolution, batch norm over T and N, neuron. What passes between is 0 or 1.

residual  LIF(BN(conv s1) + g s0),  s1 = LIF(BN(conv s0))      g: one learned gain per channel, a second synapse
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurogen.blocks.fold import fold
from neurogen.config import NeuronConfig
from neurogen.neurons import make_neuron

SKIP_GAIN = 0.5  # where g starts


class ConvBNLIF(nn.Module):
    """(T, N, C, H, W) -> spikes (T, N, out, H', W').

    The convolution has no bias and symmetric padding; `stride` 2 halves the resolution, `transposed` doubles it.
    """

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int, neurons: NeuronConfig, transposed: bool = False
    ) -> None:
        super().__init__()
        padding = (kernel - stride) // 2 if transposed else kernel // 2
        kind = nn.ConvTranspose2d if transposed else nn.Conv2d
        self.conv = kind(channels, out, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.neuron = make_neuron(neurons)

    def current(self, x: Tensor) -> Tensor:
        """Input current of the neurons: (M, C, H, W) -> (M, out, H', W')."""
        return self.norm(self.conv(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.neuron(self.current(x.flatten(0, 1)).unflatten(0, x.shape[:2]))

    def forward_constant(self, x: Tensor, steps: int) -> Tensor:
        """The same for an input (N, C, H, W) that does not change over the steps: its current is computed once."""
        current = self.current(x)
        return self.neuron(current.expand(steps, *current.shape))


class SpikingResidual(nn.Module):
    """(T, N, C, H, W) spikes -> same."""

    def __init__(self, channels: int, neurons: NeuronConfig) -> None:
        super().__init__()
        self.first = ConvBNLIF(channels, channels, 3, 1, neurons)
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.gain = nn.Parameter(torch.full((channels, 1, 1), SKIP_GAIN))
        self.neuron = make_neuron(neurons)

    def forward(self, x: Tensor) -> Tensor:
        current = fold(self.norm, fold(self.conv, self.first(x)))
        return self.neuron(torch.addcmul(current, x, self.gain))
