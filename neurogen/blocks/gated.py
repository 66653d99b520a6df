"""Blocks of the published autoencoder: real-valued, gated by x * LIF(x), group-normalised.

    residual   shortcut(x) + conv(drop(gate(norm(conv(gate(norm(x)))))))
    attention  x + proj(v (q k)^T / sqrt(C)),  q, k = LIF(1x1 norm(x)) spikes, v real; no softmax

Source: arXiv 2405.14474 and its release.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from neurogen.blocks.fold import Folded, fold
from neurogen.config import NeuronConfig
from neurogen.neurons import make_gate, make_neuron


def group_norm(channels: int) -> nn.GroupNorm:
    """32 groups, per sample and time step."""
    return nn.GroupNorm(32, channels, eps=1e-6)


class GatedResidual(nn.Module):
    """(T, N, channels, H, W) -> (T, N, out, H, W)."""

    def __init__(self, channels: int, out: int, dropout: float, neurons: NeuronConfig) -> None:
        super().__init__()
        self.norm1, self.gate1 = group_norm(channels), make_gate(neurons)
        self.conv1 = nn.Conv2d(channels, out, 3, 1, 1)
        self.norm2, self.gate2 = group_norm(out), make_gate(neurons)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1)
        self.shortcut = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = fold(self.conv1, self.gate1(fold(self.norm1, x)))
        h = fold(self.conv2, self.dropout(self.gate2(fold(self.norm2, h))))
        return fold(self.shortcut, x) + h


class SpikingAttention(nn.Module):
    """(T, N, C, H, W) -> same; T folded, attention within each step and sample."""

    def __init__(self, channels: int, neurons: NeuronConfig) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.query, self.key, self.value = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        self.query_neuron, self.key_neuron = make_neuron(neurons), make_neuron(neurons)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        normed = fold(self.norm, x)
        q = self.query_neuron(fold(self.query, normed)).flatten(3)  # (T, N, C, HW) spikes
        k = self.key_neuron(fold(self.key, normed)).flatten(3)
        v = fold(self.value, normed).flatten(3)
        channels, sites = q.shape[-2:]
        # Without softmax the product associates: take the smaller of HW x HW and C x C in the middle.
        mixed = (v @ k.mT) @ q if channels < sites else v @ (k.mT @ q)
        return x + fold(self.proj, (mixed * channels**-0.5).view_as(x))


class Downsample(nn.Module):
    """Halve the resolution: one zero row and column on the right and bottom, 3x3 convolution with stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] % 2 or x.shape[-2] % 2:
            raise ValueError(f"expected an even height and width to halve, got {tuple(x.shape[-2:])}")
        return fold(self.conv, F.pad(x, (0, 1, 0, 1)))


class _Nearest(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def upsample(channels: int, kind: str) -> nn.Module:
    """Double the resolution: nearest then 3x3 convolution (the release), or a transposed convolution (its README)."""
    layer = _Nearest(channels) if kind == "nearest" else nn.ConvTranspose2d(channels, channels, 4, 2, 1)
    return Folded(layer)
