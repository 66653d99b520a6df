"""Several processes that train one model, as torchrun starts them: one leads, all share gradients and state.

Each process takes its share of the global batch; gradients are averaged before the optimiser's step, so that all keep
equal weights. Process 0 alone writes: checkpoints, figures, pictures, the model folder. Without torchrun's environment
every function here does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

ALONE = 1


def rank() -> int:
    """Number of this process, 0 for the one that leads."""
    return dist.get_rank() if _together() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _together() else ALONE


@contextmanager
def processes(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that torchrun started, while the block runs; yields this process's own device."""
    if int(os.environ.get("WORLD_SIZE", ALONE)) == ALONE or _together():
        yield device
        return
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


@contextmanager
def leader_first() -> Iterator[None]:
    """The block runs in process 0, then in all others: what the first one prepares on disk, the others find."""
    if rank():
        dist.barrier()
    yield
    if _together() and not rank():
        dist.barrier()


def average_gradients(module: nn.Module) -> None:
    """Replace the module's gradients by their mean over the processes, in one exchange."""
    if not _together():
        return
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= world()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def share_state(tensors: Iterator[Tensor]) -> None:
    """Give all processes the tensors of process 0: weights at the start, buffers (a codebook) before every step."""
    if _together():
        for tensor in tensors:
            dist.broadcast(tensor.detach(), 0)


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process, so that all stop after the same step."""
    if not _together():
        return flag
    seen = torch.tensor(int(flag), device=device)
    dist.all_reduce(seen, dist.ReduceOp.MAX)
    return bool(seen)


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()
