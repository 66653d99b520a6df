"""How codes are used: perplexity, used and dead rows of a table; entropy, rate and dead ones of bits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurogen.codebook.form import CodeForm

ROWS = ("perplexity", "used_codes", "dead_codes")
BITS = ("bit_entropy", "bit_rate", "dead_bits")


@dataclass(frozen=True)
class Usage:
    """perplexity: exp of the entropy of the rows' shares, 1 to K; used, dead: rows chosen at least once, never."""

    perplexity: float
    used: int
    dead: int


@dataclass(frozen=True)
class BitUsage:
    """entropy: bits, of a bit on its own, 0 to 1, their mean; rate: share of ones; dead: bits always 0 or always 1.

    A bit is one of m at one of T steps; its places are sites and items.
    """

    entropy: float
    rate: float
    dead: int


def usage(codes: Tensor, size: int) -> Usage:
    """Use of a table of `size` rows by codes of any shape."""
    counts = torch.bincount(codes.flatten().cpu(), minlength=size).double()  # Apple's GPUs have no float64
    share = counts[counts > 0] / counts.sum()
    used = int((counts > 0).sum())
    return Usage(float(torch.exp(-(share * share.log()).sum())), used, size - used)


def bit_usage(items: Tensor) -> BitUsage:
    """Use of bits (N, T, m, h, w), item by item."""
    ones = items.sum((0, 3, 4), dtype=torch.int64).cpu().double()
    rate = ones / (items.numel() / ones.numel())
    entropy = -(torch.xlogy(rate, rate) + torch.xlogy(1 - rate, 1 - rate)) / torch.log(torch.tensor(2.0))
    return BitUsage(float(entropy.mean()), float(rate.mean()), int(((rate == 0) | (rate == 1)).sum()))


def use_names(form: CodeForm) -> tuple[str, str, str]:
    """Names of `use_figures`, the most telling first."""
    return BITS if form.bits else ROWS


def use_figures(items: Tensor, form: CodeForm) -> dict[str, float]:
    """Figures of the use of codes (N, *form.item_shape), by name."""
    if form.bits:
        bits = bit_usage(items)
        return dict(zip(BITS, (bits.entropy, bits.rate, bits.dead), strict=True))
    rows = usage(items, form.size)
    return dict(zip(ROWS, (rows.perplexity, rows.used, rows.dead), strict=True))
