"""Reconstruction losses, per element: L1, L2 and the Poisson likelihood of counts.

    poisson(x, r) = r - x log r     (negative log-likelihood of counts x under rates r, up to a constant of x)

Counts may be scaled by a constant: that scales the loss and adds a constant.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST_RATE = 1e-6


def reconstruction_loss(kind: str, x: Tensor, output: Tensor) -> Tensor:
    """Element-wise loss of `output` against `x`, same shapes; kind l1, l2 or poisson (output: rates above 0)."""
    if kind == "l1":
        return (x - output).abs()
    if kind == "l2":
        return (x - output).square()
    rate = output.clamp_min(SMALLEST_RATE)
    return rate - x * rate.log()


def constant_loss(kind: str, x: Tensor) -> Tensor:
    """Mean loss of the best constant output on x, a scalar above 0: median, mean or mean rate.

    For Poisson the loss of a perfect output is subtracted from both, so the scale is that of what can be learnt.
    """
    if kind == "l1":
        return (x - x.median()).abs().mean().clamp_min(SMALLEST_RATE)
    if kind == "l2":
        return (x - x.mean()).square().mean().clamp_min(SMALLEST_RATE)
    best = reconstruction_loss(kind, x, x).mean()
    return (reconstruction_loss(kind, x, x.mean().expand_as(x)).mean() - best).clamp_min(SMALLEST_RATE)


def normalised_loss(kind: str, x: Tensor, output: Tensor, normalise: bool) -> Tensor:
    """Mean reconstruction loss; with `normalise`, over that of the best constant output of this batch."""
    loss = reconstruction_loss(kind, x, output).mean()
    if not normalise:
        return loss
    with torch.no_grad():
        scale = constant_loss(kind, x)
        floor = reconstruction_loss(kind, x, x).mean() if kind == "poisson" else 0.0
    return (loss - floor) / scale
