"""How a codebook is used: perplexity, used and dead rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Usage:
    """perplexity: exp of the entropy of the rows' shares, 1 to K; used, dead: rows chosen at least once, never."""

    perplexity: float
    used: int
    dead: int


def usage(codes: Tensor, size: int) -> Usage:
    """Use of a table of `size` rows by codes of any shape."""
    counts = torch.bincount(codes.flatten().cpu(), minlength=size).double()  # Apple's GPUs have no float64
    share = counts[counts > 0] / counts.sum()
    used = int((counts > 0).sum())
    return Usage(float(torch.exp(-(share * share.log()).sum())), used, size - used)
