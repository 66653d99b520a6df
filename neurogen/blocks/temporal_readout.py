"""Temporal attention read-out (TAID, arXiv 2406.03046): which step counts how much, by what the steps show.

    a_t,c = sigmoid(sum_s K_t,s m_s,c + b_t),  m_s,c: mean of channel c over space at step s
    image = tanh(W sum_t a_t s_t)

It takes the place of the fixed 0.8^(T-t) and starts as that. Weights are given to the features, whose channels they
tell apart, so that the last convolution, which is linear, runs once; TAID gives them to the convolution's outputs.
Shapes: T steps, N items, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurogen.blocks.decayed_readout import DecayedReadOut
from neurogen.coding import DECAY
from neurogen.full_precision import full_precision, wide

LARGEST = 0.99  # weight that the last step starts with: a sigmoid does not reach 1


class TemporalReadOut(DecayedReadOut):
    """Spikes (T, N, C, H, W) -> images (N, out, H, W) in [-1, 1]."""

    def __init__(self, channels: int, out: int, steps: int) -> None:
        super().__init__(channels, out, event=False)
        self.attention = nn.Linear(steps, steps)
        fixed = DECAY ** torch.arange(steps - 1, -1, -1, dtype=torch.float64)
        nn.init.zeros_(self.attention.weight)
        with torch.no_grad():
            self.attention.bias.copy_(torch.logit(fixed.clamp_max(LARGEST)))

    def forward(self, spikes: Tensor) -> Tensor:
        """Of fewer than T steps: the image so far, as if nothing came after."""
        with full_precision(spikes):
            return self.image(self._weighted_sum(wide(spikes)), self.attention.in_features)

    def _weighted_sum(self, spikes: Tensor) -> Tensor:
        """sum_t a_t s_t: (t, N, C, H, W) -> (N, C, H, W)."""
        seen, steps = len(spikes), self.attention.in_features
        if seen > steps:
            raise ValueError(f"expected up to {steps} steps to read out, got {seen}; build the model for as many")
        means = spikes.mean((3, 4)).permute(1, 2, 0)  # (N, C, t)
        logits = self.attention(nn.functional.pad(means, (0, steps - seen)))
        weights = torch.sigmoid(logits[..., :seen]).permute(2, 0, 1)
        return torch.einsum("tnc,tnchw->nchw", weights, spikes)
