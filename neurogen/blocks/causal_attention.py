"""Causal spiking attention without softmax: one product over all positions, or an exact recurrence.

    A_i = c_i sum_{j <= i} M_ij (q_i . k_j) v_j          q, k, v = LIF(linear) spikes in {0, 1}
        = c_i q_i S_i,   S_i = S_{i-1} + k_i^T v_i       where all M are 1: one d x d matrix per head and step

c_i is 1 / sqrt(d) as published (arXiv 2405.14474), or 1 / (i + 1). M, where it is learned, is one gain per head and
offset (dy, dx) on the map of codes, or (dy, dx, dt) where steps are tokens of their own, softplus(4 r + 0.5413) and so
1 at r = 0; then the recurrence keeps the list of keys and values instead. Shapes: T steps, N batch, L positions, h
heads, d head width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurogen.blocks.attention_state import AttentionState, CountMatrix, FixedSpikeList, SpikeList
from neurogen.blocks.thin_linear import ThinLinear
from neurogen.blocks.tokens import TokenOrder
from neurogen.config import NeuronConfig, PriorModelConfig
from neurogen.neurons import make_neuron

UNIT_GAIN = 0.5413  # softplus(0.5413) = 1


class CausalSpikingAttention(nn.Module):
    """(T, N, L, dim) real -> same. Raises ValueError when the heads do not divide dim."""

    def __init__(self, config: PriorModelConfig, neurons: NeuronConfig) -> None:
        super().__init__()
        if config.dim % config.heads:
            raise ValueError(f"expected model.dim to be a multiple of model.heads={config.heads}, got {config.dim}")
        self.heads, self.normalise = config.heads, config.normalise
        self.head_width = config.dim // config.heads
        self.qkv = ThinLinear(config.dim, 3 * config.dim)
        self.neuron = make_neuron(neurons)
        self.proj = ThinLinear(config.dim, config.dim)
        self.gains: nn.Parameter | None = None
        if config.offset_gains:
            shape, offset = TokenOrder.of(config).offsets()
            self.gains = nn.Parameter(torch.zeros(config.heads, *shape))
            self.register_buffer("offset", offset, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self._spikes(x)  # (T, N, h, L, d)
        scores = q @ k.mT
        length = scores.shape[-1]
        scores = scores.tril() if self.gains is None else scores * self.pair_gains()[:, :length, :length]
        position = torch.arange(length, device=x.device, dtype=x.dtype)
        return self._merge((scores @ v) * self._scale(position)[:, None])

    def start(self) -> AttentionState:
        """An empty memory for `step`."""
        return CountMatrix() if self.gains is None else SpikeList(self.pair_gains().detach())

    def start_fixed(self, position: Tensor, steps: int, rows: int) -> AttentionState:
        """The same for `step` at a position (1,) that is a number on the device; made empty by zeros."""
        if self.gains is not None:
            return FixedSpikeList(self.pair_gains().detach(), position, steps, rows, self.head_width)
        state = CountMatrix()
        state.counts = self.proj.weight.new_zeros((steps, rows, self.heads, self.head_width, self.head_width))
        return state

    def step(self, x: Tensor, state: AttentionState, position: int | Tensor) -> Tensor:
        """The next position: (T, N, dim) -> same; equals `forward` at that position."""
        q, k, v = (part.squeeze(-2) for part in self._spikes(x.unsqueeze(-2)))  # (T, N, h, d)
        scale = self._scale(torch.as_tensor(position, dtype=x.dtype, device=x.device))
        return self._merge((state.mix(q, k, v) * scale).unsqueeze(-2)).squeeze(-2)

    def pair_gains(self) -> Tensor:
        """The gain of position j at position i, zero for j > i: (h, L, L)."""
        assert self.gains is not None
        return F.softplus(4 * self.gains + UNIT_GAIN).flatten(1)[:, self.offset].tril()

    def _spikes(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.neuron.reset()
        spikes = self.neuron(self.qkv(x))  # (T, N, L, 3 dim)
        parts = spikes.unflatten(-1, (3, self.heads, self.head_width)).permute(3, 0, 1, 4, 2, 5)
        return parts[0], parts[1], parts[2]

    def _merge(self, mixed: Tensor) -> Tensor:
        return self.proj(mixed.transpose(-3, -2).flatten(-2))

    def _scale(self, position: Tensor) -> Tensor:
        if self.normalise:
            return 1 / (position + 1)
        return torch.full_like(position, self.head_width**-0.5)
