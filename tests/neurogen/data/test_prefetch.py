"""Batches made ahead are those that would be made now."""

from __future__ import annotations

import gc
import threading

import pytest
import torch
from torch import Tensor

from neurogen.data import DataError
from neurogen.data.prefetch import Prefetch


def items(step: int) -> Tensor:
    return torch.tensor([step, step + 1])


def batch(index: Tensor, step: int) -> Tensor:
    """Depends on the items, the step and draws."""
    return torch.rand(2, generator=torch.Generator().manual_seed(step)) + 10 * index


def test_batches_are_bitwise_those_made_at_their_own_step() -> None:
    ahead = Prefetch(batch, items, 6)
    for step in range(6):
        assert torch.equal(ahead.take(items(step), step), batch(items(step), step))


def test_the_next_batch_is_made_while_a_step_runs_and_none_after_the_last() -> None:
    made: list[tuple[int, str]] = []
    second = threading.Event()

    def noted(index: Tensor, step: int) -> Tensor:
        made.append((step, threading.current_thread().name.split("_")[0]))
        if step == 1:
            second.set()
        return batch(index, step)

    ahead = Prefetch(noted, items, 3)
    ahead.take(items(0), 0)
    assert second.wait(10)  # without anybody asking for step 1
    ahead.take(items(1), 1)
    ahead.take(items(2), 2)
    assert made == [(0, "MainThread"), (1, "prefetch"), (2, "prefetch")]


def test_items_or_steps_that_were_not_announced_are_made_on_the_spot() -> None:
    ahead = Prefetch(batch, items, 100)
    ahead.take(items(0), 0)
    other = torch.tensor([7, 9])
    assert torch.equal(ahead.take(other, 1), batch(other, 1))
    assert torch.equal(ahead.take(items(50), 50), batch(items(50), 50))  # as after a resumption
    assert torch.equal(ahead.take(items(51), 51), batch(items(51), 51))


def test_an_error_arises_at_the_step_that_it_belongs_to() -> None:
    def damaged(index: Tensor, step: int) -> Tensor:
        if step == 2:
            raise DataError("a.jpg: expected a picture")
        return batch(index, step)

    ahead = Prefetch(damaged, items, 5)
    ahead.take(items(0), 0)
    ahead.take(items(1), 1)
    with pytest.raises(DataError, match=r"a\.jpg"):
        ahead.take(items(2), 2)


def test_the_thread_ends_with_its_owner() -> None:
    ahead = Prefetch(batch, items, 5)
    ahead.take(items(0), 0)
    (thread,) = ahead._thread._threads
    del ahead
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()
