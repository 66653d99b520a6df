"""How a neuron's recurrence runs. `auto` takes the fastest backend that can run the tensor at hand.

torch         fused forward and backward for the CPU (`cpu.py`)
spikingjelly  SpikingJelly's own operator: every neuron, everywhere (on CUDA its native or Triton kernels)

A backend is a file with `DEVICES`, `refusal`, `multi_step` and `gate` as in `cpu.py`, and one entry below.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from neurogen.neurons import cpu

BACKENDS: dict[str, ModuleType] = {"torch": cpu}  # fastest first
NAMES = ("auto", *BACKENDS, "spikingjelly")


def choose_backend(requested: str, node: Any, x: Tensor) -> ModuleType | None:
    """The backend that runs this neuron on x, or None for SpikingJelly's operator.

    Raises ValueError for an unknown name, or a backend asked for by name that cannot run this neuron.
    """
    if requested not in NAMES:
        raise ValueError(f"expected backend to be one of {', '.join(NAMES)}, got {requested!r}")
    if requested == "spikingjelly" or node.store_v_seq or torch.compiler.is_compiling():
        return None
    dynamics = node.dynamics()
    if requested != "auto":
        reason = BACKENDS[requested].refusal(dynamics, x)
        if reason is not None:
            raise ValueError(f"backend {requested} cannot run this {type(node).__name__}: {reason}; use backend=auto")
        return BACKENDS[requested]
    able = (b for b in BACKENDS.values() if x.device.type in b.DEVICES and b.refusal(dynamics, x) is None)
    return next(able, None)


def why_not(name: str, node: Any, x: Tensor) -> str | None:
    """Why `auto` does not take a backend for this neuron and input, or None where it would do."""
    backend = BACKENDS[name]
    if x.device.type not in backend.DEVICES:
        return f"it is for {' and '.join(backend.DEVICES)}"
    return backend.refusal(node.dynamics(), x)
