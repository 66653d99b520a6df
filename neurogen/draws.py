"""Random numbers for some items of a batch, as one process that has the whole batch would draw them.

Each process draws for the whole batch and keeps the numbers of its own items; a plain generator stands for a batch that
is nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BatchDraws:
    """A CPU generator for a batch of `items`, of which this process has those from `start` on."""

    generator: torch.Generator
    items: int
    start: int = 0


Draws = BatchDraws | torch.Generator


def uniform(draws: Draws, n: int) -> Tensor:
    """(n,) float in [0, 1), one an item."""
    return _own(draws, n, lambda count, generator: torch.rand(count, generator=generator))


def whole(draws: Draws, low: int, high: int, n: int, *shape: int) -> Tensor:
    """(n, *shape) int64 from low to high - 1."""
    return _own(draws, n, lambda count, generator: torch.randint(low, high, (count, *shape), generator=generator))


def of_batch(draws: Draws, high: int) -> int:
    """One number from 0 to high - 1 for the whole batch."""
    generator = draws if isinstance(draws, torch.Generator) else draws.generator
    return int(torch.randint(high, (), generator=generator))


def _own(draws: Draws, n: int, draw: Callable[[int, torch.Generator], Tensor]) -> Tensor:
    if isinstance(draws, torch.Generator):
        return draw(n, draws)
    return draw(draws.items, draws.generator)[draws.start : draws.start + n]
