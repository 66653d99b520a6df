"""Which items a batch holds: a pure function of seed and step, so there is nothing to save and nothing to lose."""

from __future__ import annotations

import torch
from torch import Tensor

from neurogen.draws import BatchDraws
from neurogen.training.errors import TrainingError


def check_batch(batch_size: int, items: int, world: int = 1, parts: int = 1) -> None:
    """Raises TrainingError for a batch larger than the data, or one that does not divide.

    world: processes that share it; parts: in which each of them takes its share (`train.accumulate`).
    """
    if batch_size > items:
        raise TrainingError(f"expected train.batch_size up to the {items} training items, got {batch_size}; lower it")
    if batch_size % world:
        raise TrainingError(
            f"expected train.batch_size to divide among {world} processes, got {batch_size}; take a multiple of {world}"
        )
    if batch_size % (world * parts):
        raise TrainingError(
            f"expected train.batch_size to divide into train.accumulate={parts} parts"
            f"{f' for each of {world} processes' if world > 1 else ''}, got {batch_size}; "
            f"take a multiple of {world * parts}"
        )


def batch_items(seed: int, step: int, items: int, batch_size: int, rank: int = 0, world: int = 1) -> Tensor:
    """This process's share of the global batch of `batch_size` items at `step` (from 0); epochs drop the remainder.

    Raises TrainingError as `check_batch`.
    """
    check_batch(batch_size, items, world)
    epoch, at = divmod(step, items // batch_size)
    order = torch.randperm(items, generator=keyed_generator(seed, 0, epoch))
    share = batch_size // world
    start = at * batch_size + rank * share
    return order[start : start + share]


def batch_draws(seed: int, stream: int, step: int, batch_size: int, rank: int = 0, world: int = 1) -> BatchDraws:
    """Random numbers for this process's share of the batch: those that one process would draw for these items."""
    return BatchDraws(keyed_generator(seed, stream, step), batch_size, rank * (batch_size // world))


def keyed_generator(seed: int, stream: int, step: int, rank: int = 0) -> torch.Generator:
    """A CPU generator that depends on its arguments alone."""
    return torch.Generator().manual_seed(step_seed(seed, stream, step, rank))


def step_seed(seed: int, stream: int, step: int, rank: int = 0) -> int:
    """One 63-bit seed per (seed, stream, step, rank), by splitmix64."""
    z = 0
    for value in (seed, stream, step, rank):
        z = (z ^ value) + 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        z = (z ^ z >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        z ^= z >> 31
    return z >> 1
