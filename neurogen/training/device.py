"""From a device's name to a device that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from neurogen.training.errors import TrainingError


@contextmanager
def repeatable() -> Iterator[None]:
    """While the block runs, cuDNN takes only algorithms that give the same bits every time, so that runs resume."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def moved(x: Tensor, device: torch.device) -> Tensor:
    """x on that device; from the CPU to CUDA by a copy that nobody waits for."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" and not x.is_cuda else x.to(device)


def choose_device(name: str) -> torch.device:
    """auto, cpu, cuda, cuda:N or mps; raises TrainingError for one that this machine lacks."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    if re.fullmatch(r"cuda(:\d+)?", name):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = int(name[5:] or 0)
        if index >= count:
            raise TrainingError(
                f"expected {name}, this machine has {count} CUDA devices; set device=auto or device=cpu"
            )
        return torch.device(name)
    if name == "mps":
        if not torch.backends.mps.is_available():
            raise TrainingError("expected mps, this machine has no Apple GPU; set device=auto or device=cpu")
        return torch.device("mps")
    raise TrainingError(f"expected device to be auto, cpu, cuda, cuda:N or mps, got {name}")
