"""How a neuron's recurrence runs. A backend is one file; `auto` picks the fastest that can run the tensor at hand.

torch         our fused CPU path (`cpu.py`), for IF and LIF with a known surrogate
spikingjelly  SpikingJelly's own operator: everything, everywhere (on CUDA its Triton or native kernels)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurogen.neurons.surrogate import can_fuse

BACKENDS = ("torch", "spikingjelly")
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def why_not_torch(node: Any, x: Tensor | None = None) -> str | None:
    """The reason why the fused path cannot run this neuron (on this tensor), or None."""
    if node.tau_now is NotImplemented:
        return "its time constant is learned"
    if not can_fuse(node.surrogate_function):
        return f"it does not know the surrogate {type(node.surrogate_function).__name__}"
    if node.store_v_seq:
        return "store_v_seq asks for every step's membrane"
    if x is not None and x.dtype not in FLOATS:
        return f"it does not know {x.dtype}"
    return "torch.compile traces SpikingJelly's operator" if torch.compiler.is_compiling() else None


def choose_backend(requested: str, node: Any, x: Tensor) -> str:
    """The backend that will run; raises ValueError for an unknown name or one that cannot run this neuron."""
    if requested not in ("auto", *BACKENDS):
        raise ValueError(f"expected backend to be auto, {' or '.join(BACKENDS)}, got {requested!r}")
    if requested == "spikingjelly":
        return requested
    reason = why_not_torch(node, x)
    if reason is None and (requested == "torch" or x.device.type == "cpu"):
        return "torch"
    return "spikingjelly"
