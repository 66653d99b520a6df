"""Drawing codes from logits with given random numbers: inversion of the cumulative distribution, in float64.

The code is the first k with cdf(k) > u, so equal numbers give equal codes whatever else is in the batch, and a code
of probability zero is never drawn. Shapes: N batch, K codes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

ROUNDING = 1e-12  # error of a float64 sum of probabilities, far below any probability that matters


def check_drawing(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raises ValueError for values that mean nothing; temperature 0 is refused (the likeliest code is top_k=1)."""
    if not temperature > 0 or not math.isfinite(temperature):
        raise ValueError(
            f"expected a temperature above 0, got {temperature}; for the likeliest codes take top_k=1, "
            "for the likeliest bits a temperature near 0"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"expected top_k of 1 or more, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"expected top_p above 0 and at most 1, got {top_p}")


def probabilities(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """What codes are drawn from: (N, K) float64, each row adding up to 1.

    top_k keeps exactly the k likeliest codes, top_p then the fewest of these whose probability (after top_k) reaches p;
    among equals the lower index goes first. The likeliest code is always kept.
    """
    check_logits(logits)
    return softened(logits, temperature, top_k, top_p)


def check_logits(logits: Tensor) -> None:
    """Raises ValueError for logits that are not numbers."""
    if not torch.isfinite(logits).all():
        raise ValueError("expected finite logits from the prior, got NaN or infinity; its training diverged")


def softened(logits: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """`probabilities` of logits that are finite, unchecked: on a GPU a check waits for the device."""
    logits = logits.double()
    scaled = (logits - logits.amax(-1, keepdim=True)) / temperature  # at most 0: any temperature is safe
    probability = torch.softmax(scaled, -1)
    if (top_k is None or top_k >= logits.shape[-1]) and (top_p is None or top_p == 1):
        return probability
    ordered, order = torch.sort(probability, dim=-1, descending=True, stable=True)
    if top_k is not None:
        ordered[:, top_k:] = 0.0
        ordered = ordered / ordered.sum(-1, keepdim=True)
    if top_p is not None and top_p < 1:
        before = torch.nn.functional.pad(ordered.cumsum(-1)[:, :-1], (1, 0))  # probability of all likelier codes
        ordered = ordered * ((before < top_p - ROUNDING) | (before == 0))
        ordered = ordered / ordered.sum(-1, keepdim=True)
    return torch.zeros_like(probability).scatter_(-1, order, ordered)


def invert(probability: Tensor, uniforms: Tensor) -> Tensor:
    """Codes (N,) at which the cumulative sum of probability (N, K) first exceeds uniforms (N,) in [0, 1)."""
    cdf = probability.cumsum(-1)
    target = uniforms.to(cdf)[:, None] * cdf[:, -1:]
    code = torch.searchsorted(cdf, target, right=True).squeeze(-1)
    possible = torch.arange(probability.shape[-1], device=cdf.device) * (probability > 0)
    return torch.minimum(code, possible.amax(-1))  # u next to 1 may round up to the whole sum


def draw(
    logits: Tensor, uniforms: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """Codes (N,) from logits (N, K) and uniforms (N,) in [0, 1)."""
    return invert(probabilities(logits, temperature, top_k, top_p), uniforms)


def bits_at(logits: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    """Bits, int64, from logits of 1 and uniforms in [0, 1), each alone, any one shape: 0 where u < P(0); unchecked."""
    logits = logits.double()
    return (uniforms.to(logits) >= torch.sigmoid(-logits / temperature)).long()
