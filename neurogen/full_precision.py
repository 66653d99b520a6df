"""What stays in float32 while autocast runs the layers around it in 16 bits: comparisons, last layers, what adds up."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

SHORT = (torch.float16, torch.bfloat16)


def full_precision(x: Tensor) -> AbstractContextManager[None]:
    """While the block runs, autocast leaves products of tensors on x's device in their own precision."""
    kind = x.device.type
    if kind not in ("cpu", "cuda") or not torch.is_autocast_enabled(kind):
        return nullcontext()
    return torch.autocast(kind, enabled=False)


def wide(x: Tensor) -> Tensor:
    """x in float32 where it has 16 bits, else x itself."""
    return x.float() if x.dtype in SHORT else x
