"""How far the posterior's firing probabilities are from the prior's, step by step, at the scale of FSVAE's release.

    psp_mmd  mean over T, N, C of (PSP(q)_t - PSP(p)_t)^2,  PSP_t = PSP_(t-1) + (x_t - PSP_(t-1)) / tau,  PSP_0 = 0
    mmd      the same without PSP, which compares each step with its own
    kld      1e-4 mean over N of the sum over T, C of q log(q' / p') + (1 - q) log((1 - q)' / (1 - p)'),  x' = x + 0.01

(Kamata, Mukuta and Harada 2022, equations 16 to 19 and table 3.) It is a squared distance within each item, not a
two-sample statistic. q, p: (T, N, C) probabilities in [0, 1]; the gradient flows into both.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TAU_SYN = 2.0  # of the postsynaptic potential, time steps
KLD_WEIGHT, KLD_OFFSET = 1e-4, 0.01


def psp(x: Tensor) -> Tensor:
    """Postsynaptic potential (T, N, C) of x (T, N, C)."""
    t = torch.arange(len(x), dtype=x.dtype, device=x.device)
    ages = t[:, None] - t[None, :]
    kernel = torch.where(ages >= 0, (1 - 1 / TAU_SYN) ** ages.clamp_min(0) / TAU_SYN, 0.0)
    return (kernel @ x.flatten(1)).view_as(x)


def psp_mmd(q: Tensor, p: Tensor) -> Tensor:
    """Scalar; PSP is linear, so that one of the difference is enough."""
    return psp(q - p).square().mean()


def mmd(q: Tensor, p: Tensor) -> Tensor:
    """Scalar."""
    return (q - p).square().mean()


def kld(q: Tensor, p: Tensor) -> Tensor:
    """Scalar."""
    fires = q * ((q + KLD_OFFSET) / (p + KLD_OFFSET)).log()
    rests = (1 - q) * ((1 - q + KLD_OFFSET) / (1 - p + KLD_OFFSET)).log()
    return KLD_WEIGHT * (fires + rests).sum((0, 2)).mean()


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"kld": kld, "mmd": mmd, "psp_mmd": psp_mmd}
