"""Images or recordings to T steps, and T steps of features to what is read out.

direct  an image is shown at every step          event  step t sees frame t
rate    a spike with probability x at each step  ttfs   one spike of 1 / (i + 1) at step i, the sooner the larger x
mean, sum, last, decay  aggregate the steps of an image; step keeps them, all gives every frame all steps (not causal)
"""

from __future__ import annotations

import torch
from torch import Tensor

DECAY = 0.8  # of the decayed sum, per step


def to_steps(x: Tensor, coding: str, steps: int) -> Tensor:
    """Images (N, C, H, W) under `direct`, recordings (N, T, C, H, W) under `event`, to (T, N, C, H, W).

    Direct steps share memory. Raises ValueError for a shape that does not fit.
    """
    if coding == "direct":
        if x.dim() != 4:
            raise ValueError(f"expected images (N, C, H, W) for direct coding, got {tuple(x.shape)}")
        return x.expand(steps, *x.shape)
    if x.dim() != 5 or x.shape[1] != steps:
        raise ValueError(f"expected recordings (N, {steps}, C, H, W) for event coding, got {tuple(x.shape)}")
    return x.transpose(0, 1)


def rate_spikes(x: Tensor, uniforms: Tensor) -> Tensor:
    """Bernoulli spikes [u < x] of values x (N, ...) in [0, 1]; uniforms and spikes: (T, N, ...).

    The gradient passes straight through, so that what made x can learn.
    """
    return (uniforms < x).to(x.dtype) + (x - x.detach())


def first_spikes(x: Tensor, steps: int) -> Tensor:
    """Time to first spike of values x (N, ...) in [0, 1]: (T, N, ...), zero but at the step i (from 0) where x T is in
    (T - i - 1, T - i], which has 1 / (i + 1); a value of 0 never spikes. The gradient passes straight through there.
    """
    i = torch.arange(steps, dtype=x.dtype, device=x.device).view(-1, *[1] * x.dim())
    scaled = x.detach() * steps
    fires = ((scaled > steps - i - 1) & (scaled <= steps - i)).to(x.dtype)
    return fires / (i + 1) + fires * (x - x.detach())


def coded(x: Tensor, coding: str, steps: int) -> Tensor:
    """Values x (N, ...) in [0, 1] as training sees them: (T, N, ...) under rate, by torch's own randomness, and ttfs;
    x itself under direct, which shows it at every step."""
    if coding == "rate":
        return rate_spikes(x, torch.rand((steps, *x.shape), dtype=x.dtype, device=x.device))
    return first_spikes(x, steps) if coding == "ttfs" else x


def aggregate(features: Tensor, readout: str) -> Tensor:
    """Features (T, N, C, H, W) to (N, C, H, W) by mean, sum, last or decay; all: (N, T * C, H, W); step: unchanged."""
    if readout == "step":
        return features
    if readout == "mean":
        return features.mean(0)
    if readout == "sum":
        return features.sum(0)
    if readout == "last":
        return features[-1]
    if readout == "decay":
        steps = len(features)
        weights = DECAY ** torch.arange(steps - 1, -1, -1, dtype=features.dtype, device=features.device)
        return torch.einsum("t,tnchw->nchw", weights, features)
    return features.transpose(0, 1).flatten(1, 2)
