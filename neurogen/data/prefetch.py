"""The next batch, prepared while a step runs.

Every batch is a function of its items and its step alone, so one that was prepared ahead is bitwise the one that would
be prepared now.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

Prepare = Callable[[Tensor, int], Tensor]  # items (n,) and a step to their batch


class Prefetch:
    """Batches of steps before `steps`, one ahead; `items` says which items a step will ask for.

    One thread prepares; it ends with its owner, or with the process after the batch at hand.
    """

    def __init__(self, prepare: Prepare, items: Callable[[int], Tensor], steps: int) -> None:
        self.prepare, self.items, self.steps = prepare, items, steps
        self._thread = ThreadPoolExecutor(1, "prefetch")
        self._next: tuple[int, Future[tuple[Tensor, Tensor]]] | None = None

    def take(self, index: Tensor, step: int) -> Tensor:
        """The batch of these items at this step; starts on the next. Raises what `prepare` raises, at its own step."""
        ahead, self._next = self._next, None
        batch = None
        if ahead is not None and ahead[0] == step:
            prepared_index, prepared = ahead[1].result()
            batch = prepared if torch.equal(prepared_index, index) else None
        if batch is None:  # the first step, or one that nobody announced
            batch = self.prepare(index, step)
        if step + 1 < self.steps:
            self._next = step + 1, self._thread.submit(_prepared, self.prepare, self.items, step + 1)
        return batch


def _prepared(prepare: Prepare, items: Callable[[int], Tensor], step: int) -> tuple[Tensor, Tensor]:
    """Without the Prefetch itself, which could not end while its thread held it."""
    index = items(step)
    return index, prepare(index, step)
