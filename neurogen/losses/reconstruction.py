"""Reconstruction losses, per element: L1, L2 and the Poisson likelihood of counts.

    poisson(x, r) = r - x log r     (negative log-likelihood of counts x under rates r, up to a constant of x)

Counts may be scaled by a constant: that scales the loss and adds a constant.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurogen.processes import all_rows, averaged

SMALLEST_RATE = 1e-6


def reconstruction_loss(kind: str, x: Tensor, output: Tensor) -> Tensor:
    """Element-wise loss of `output` against `x`, same shapes; kind l1, l2 or poisson (output: rates above 0)."""
    if kind == "l1":
        return (x - output).abs()
    if kind == "l2":
        return (x - output).square()
    rate = output.clamp_min(SMALLEST_RATE)
    return rate - x * rate.log()


def normalised_loss(kind: str, x: Tensor, output: Tensor, normalise: bool, whole: Tensor | None = None) -> Tensor:
    """Mean reconstruction loss; with `normalise`, 0 at the truth and 1 at the best constant output for the batch.

    That constant is the median (l1) or the mean. Only Poisson has a loss at the truth to subtract. whole: this
    process's share of the batch where x is a part of it; the batch is the shares of all processes.
    """
    loss = reconstruction_loss(kind, x, output).mean()
    if not normalise:
        return loss
    batch = x if whole is None else whole
    with torch.no_grad():
        constant = (all_rows(batch).median() if kind == "l1" else averaged(batch.mean())).expand_as(batch)
        floor = averaged(reconstruction_loss(kind, batch, batch).mean()) if kind == "poisson" else 0.0
        scale = (averaged(reconstruction_loss(kind, batch, constant).mean()) - floor).clamp_min(SMALLEST_RATE)
    return (loss - floor) / scale
