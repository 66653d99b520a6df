"""Sums, means and gatherings over the processes that compute together (torchrun); alone, every one does nothing.

What all processes call, all get equal, bit for bit: reductions give every process the same sum, and what is gathered
stands in the order in which one process would have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

AXES = 8  # of a tensor that is gathered, at most


def together() -> bool:
    """Whether several processes have joined."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    """Number of this process, 0 for the one that leads."""
    return dist.get_rank() if together() else 0


def world() -> int:
    """How many processes compute together."""
    return dist.get_world_size() if together() else 1


def summed(tensor: Tensor) -> Tensor:
    """The sum over all processes, in place; without gradient."""
    if together():
        dist.all_reduce(tensor)
    return tensor


def averaged(tensor: Tensor) -> Tensor:
    """The mean over all processes, in place; without gradient."""
    return summed(tensor).div_(world()) if together() else tensor


def shared_mean(x: Tensor) -> Tensor:
    """The mean of x over all processes, with its gradient.

    For what enters a loss not linearly (an entropy of mean rates): every process then has the loss of the whole batch,
    and the mean of their gradients is its gradient.
    """
    return _SharedMean.apply(x) if together() else x


class _SharedMean(torch.autograd.Function):
    """Forward the mean over processes, backward the mean of their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        del ctx
        return averaged(x.detach().clone())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        del ctx
        return averaged(grad.clone())


def all_rows(rows: Tensor) -> Tensor:
    """Rows (M, ...) of every process as (world M, ...), in the order of the processes; M is the same everywhere."""
    if not together():
        return rows
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(world())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def count_of_rows(rows: Tensor) -> int:
    """How many rows there are in `all_rows`, which is never made for it."""
    return len(rows) * world()


def chosen_rows(rows: Tensor, index: Tensor, blocks: int = 1) -> Tensor:
    """Rows (M, D) of all processes at index (K,), equal everywhere, without gathering more than these.

    blocks: how many blocks of rows one process would have one after another (time steps), each of which is shared.
    """
    index = index.to(rows.device)
    if not together():
        return rows[index]
    size = len(rows) // blocks
    block, place = index // (size * world()), index % (size * world())
    mine, own = place // size == rank(), block * size + place % size
    # Every row is added to zeros alone, which changes none of its bits.
    return summed(torch.where(mine[:, None], rows[own], 0))


def own_parts(total: int) -> range:
    """Which of `total` parts of a task this process does."""
    return range(rank(), total, world())


def all_parts(own: Sequence[Tensor], total: int) -> list[Tensor]:
    """What every process made of its `own_parts`, in the order of the parts, bit for bit, on the CPU.

    Parts may differ in length; they share a dtype and a number of axes.
    """
    if not together():
        return list(own)
    kinds = torch.tensor([_code(own[0].dtype) if own else -1])
    dist.all_reduce(kinds, dist.ReduceOp.MAX)
    mine, parts = iter(own), []
    for i in range(total):
        owner, part, head = i % world(), torch.empty(0), torch.zeros(AXES + 1, dtype=torch.int64)
        if owner == rank():
            part = next(mine).cpu().contiguous()
            head[: part.dim() + 1] = torch.tensor([part.dim(), *part.shape])
        dist.broadcast(head, owner)
        axes, *shape = head.tolist()
        if owner != rank():
            part = torch.empty(shape[:axes], dtype=DTYPES[int(kinds)])
        dist.broadcast(part.view(-1).view(torch.uint8), owner)
        parts.append(part)
    return parts


DTYPES = (torch.uint8, torch.int16, torch.int32, torch.int64, torch.float32, torch.float64)


def _code(dtype: torch.dtype) -> int:
    return DTYPES.index(dtype)
