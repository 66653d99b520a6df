"""Destruction probes: what becomes of a decoded item whose code slices over time are put out of order.

    as_they_are     z_1 z_2 ... z_T
    reversed        z_T ... z_2 z_1
    last_repeated   z_T z_T ... z_T
    first_zeroed    0   z_2 ... z_T
    shuffled        another order, in which no slice keeps its place

All take and give rows (T, N, D, h, w), the values of a codebook. A decoder that does not use the order of slices makes
much the same of all orders. The first three probes are those of arXiv 2405.14474.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SEED = 0


def as_they_are(rows: Tensor) -> Tensor:
    """The rows themselves."""
    return rows


def reversed_steps(rows: Tensor) -> Tensor:
    """The last slice first."""
    return rows.flip(0)


def last_repeated(rows: Tensor) -> Tensor:
    """The last slice at every step."""
    return rows[-1:].expand_as(rows)


def first_zeroed(rows: Tensor) -> Tensor:
    """Nothing at the first step."""
    return torch.cat((torch.zeros_like(rows[:1]), rows[1:]))


def shuffled(rows: Tensor) -> Tensor:
    """The slices in an order that leaves none in its place, always the same for T; as they are where T is 1."""
    return rows[_order(len(rows)).to(rows.device)]


PROBES: dict[str, Callable[[Tensor], Tensor]] = {
    "as_they_are": as_they_are,
    "reversed": reversed_steps,
    "last_repeated": last_repeated,
    "first_zeroed": first_zeroed,
    "shuffled": shuffled,
}


def _order(steps: int) -> Tensor:
    """Neither the given order nor, where there is another way, the reverse."""
    generator = torch.Generator().manual_seed(SEED)
    given = torch.arange(steps)
    while steps > 1:
        order = torch.randperm(steps, generator=generator)
        if not (order == given).any() and (steps < 3 or not torch.equal(order, given.flip(0))):
            return order
    return given
