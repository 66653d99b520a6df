"""The last convolution, without a neuron: features of all steps to frames or an image, on the host."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurogen.blocks.fold import fold
from neurogen.coding import aggregate
from neurogen.full_precision import full_precision, wide

RATE_BIAS = -0.4  # softplus(-0.4) = 0.51: about N-MNIST's mean count in a cell of four frames


class ReadOut(nn.Module):
    """(T, N, C, h, w) -> images (N, out, H, W), or recordings (N, T, out, H, W) for read-outs step and all.

    Steps are aggregated before the convolution: it is linear, so this equals aggregating its outputs and costs 1 / T
    (sum and decay add its bias once). `upscale` 2 ends in a pixel shuffle.
    """

    def __init__(
        self, channels: int, out: int, kernel: int, upscale: int, readout: str, steps: int, output: str
    ) -> None:
        super().__init__()
        self.readout, self.output, self.steps, self.upscale = readout, output, steps, upscale
        copies = steps if readout == "all" else 1
        self.conv = nn.Conv2d(channels * copies, out * copies * upscale**2, kernel, 1, kernel // 2)
        if output == "softplus":
            nn.init.constant_(self.conv.bias, RATE_BIAS)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        x = aggregate(wide(features), self.readout)
        with full_precision(x):
            return self.finish(fold(self.conv, x) if self.readout == "step" else self.conv(x))

    def finish(self, y: Tensor) -> Tensor:
        """What follows the convolution: (N, out', h, w), or (T, N, out', h, w) of read-out step -> as `forward`."""
        if self.upscale > 1:
            y = nn.functional.pixel_shuffle(y, self.upscale)
        if self.readout == "step":
            y = y.transpose(0, 1)
        elif self.readout == "all":
            y = y.unflatten(1, (self.steps, -1))
        if self.output == "tanh":
            return torch.tanh(y)
        return nn.functional.softplus(y) if self.output == "softplus" else y
