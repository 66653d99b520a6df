"""How a neuron's recurrence runs. `auto` takes the fastest backend that can run the tensor at hand.

torch         fused forward and backward for the CPU (`cpu.py`)
cupy          our CUDA kernels (`cupy.py`), kept by torch.compile
braincog      BrainCog's own nodes step by step, the slow reference (`braincog.py`); only by name
spikingjelly  SpikingJelly's own operator: every neuron, everywhere (on CUDA its native or Triton kernels)

A backend is a file with `DEVICES`, `refusal`, `multi_step` and `gate` as in `cpu.py`, and one entry below.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import torch
from spikingjelly.activation_based import functional
from torch import Tensor

from neurogen.neurons import braincog, compiled, cpu, cupy
from neurogen.neurons.dynamics import Dynamics

BACKENDS: dict[str, ModuleType] = {"torch": cpu, "cupy": cupy, "braincog": braincog}  # fastest first
NAMES = ("auto", *BACKENDS, "spikingjelly")
_TRACEABLE = ("cupy",)  # operators that torch.compile keeps; it fuses SpikingJelly's plain steps itself
_NO_STAND_IN = ("cupy", "braincog")  # asked for by name, these are meant and nothing else: for speed, for parity
_said: set[str] = set()  # devices of which `auto` has said what it takes


def choose_backend(requested: str, node: Any, x: Tensor) -> ModuleType | None:
    """The backend that runs this neuron on x, or None for SpikingJelly's operator.

    The first time that `auto` meets a CUDA tensor it says on stderr what neurons run on there.
    Raises ValueError for an unknown name, or a backend asked for by name that cannot run this neuron.
    """
    if requested not in NAMES:
        raise ValueError(f"expected backend to be one of {', '.join(NAMES)}, got {requested!r}")
    compiling = torch.compiler.is_compiling()
    names = _TRACEABLE if compiling else tuple(BACKENDS)
    if node.store_v_seq:
        refuse_stand_in(requested, node, "it keeps the last membrane alone (store_v_seq=False)")
    if requested not in names:
        refuse_stand_in(requested, node, "torch.compile is at work")
    if node.store_v_seq or requested not in ("auto", *names):
        return None
    dynamics = node.dynamics()
    if requested != "auto":
        reason = BACKENDS[requested].refusal(dynamics, x)
        if reason is not None:
            raise ValueError(_cannot(requested, node, reason))
        return _compiled(BACKENDS[requested], node, x, dynamics)
    if x.device.type == "cuda" and not compiling:
        _say_once(x.device)
    for name in names:
        backend = BACKENDS[name]
        if x.device.type in backend.DEVICES and backend.refusal(dynamics, x) is None:
            return _compiled(backend, node, x, dynamics)
    return None


def refuse_stand_in(requested: str, node: Any, reason: str) -> None:
    """Raises ValueError where SpikingJelly would run, for that reason, what was asked of another backend by name."""
    if requested in _NO_STAND_IN:
        raise ValueError(_cannot(requested, node, reason))


def _cannot(requested: str, node: Any, reason: str) -> str:
    return f"backend {requested} cannot run this {type(node).__name__}: {reason}; use backend=auto"


def _compiled(backend: ModuleType, node: Any, x: Tensor, dynamics: Dynamics) -> ModuleType:
    """The compiled twin of the CPU's backend for a node that asks for it and can have it, else the backend itself."""
    asked = node.compiled and backend is cpu and x.device.type in compiled.DEVICES
    return compiled if asked and compiled.refusal(dynamics, x) is None else backend


def why_not(name: str, node: Any, x: Tensor) -> str | None:
    """Why `auto` does not take a backend for this neuron and input, or None where it would do."""
    backend = BACKENDS[name]
    if not backend.DEVICES:
        return "it is a slow reference, taken only by name"
    if x.device.type not in backend.DEVICES:
        return f"it is for {' and '.join(backend.DEVICES)}"
    return backend.refusal(node.dynamics(), x)


def _say_once(device: torch.device) -> None:
    if device.type in _said:
        return
    _said.add(device.type)
    absent = cupy.missing()
    if absent is None:
        print("neurons on cuda: CuPy kernels", file=sys.stderr)
    else:
        theirs = functional.neuron_implementation("lif", device, execution="eager")["implementation"]
        print(f"neurons on cuda: SpikingJelly's {theirs} operators; for ours: {absent}", file=sys.stderr)
