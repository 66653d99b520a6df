"""Running a neuron forwards and backwards, and the grid of neurons that ours are compared on with SpikingJelly's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor, nn

from neurogen.neurons import IF, LIF, Rect

SURROGATES: dict[str, nn.Module] = {
    "triangle": surrogate.PiecewiseQuadratic(alpha=1.0),
    "sigmoid": surrogate.Sigmoid(alpha=4.0),
    "atan": surrogate.ATan(alpha=2.0),
    "piecewise_exp": surrogate.PiecewiseExp(alpha=2.0),
    "soft_sign": surrogate.SoftSign(alpha=2.0),
    "super_spike": surrogate.SuperSpike(alpha=1.5),
    "erf": surrogate.Erf(alpha=2.0),
    "their rect": surrogate.Rect(alpha=0.8),
    "rect": Rect(1.3),
    "rect off centre": Rect(1.0, -0.2),  # FSVAE's release
}
DYNAMICS: dict[str, dict[str, Any] | None] = {
    "if": None,
    "lif": {"tau": 2.0, "decay_input": True},
    "lif, whole input": {"tau": 2.0, "decay_input": False},
    "lif, odd tau": {"tau": 1.7, "decay_input": True},
    "lif, odd tau, whole input": {"tau": 4.0 / 3.0, "decay_input": False},
}
RESETS: dict[str, float | None] = {"soft": None, "to 0": 0.0, "to -0.2": -0.2}


@dataclass(frozen=True)
class Outcome:
    """What one run gave: spikes (T, N, ...), last membrane (N, ...), gradients of x and of the first membrane."""

    spikes: Tensor
    v: Tensor
    grad_x: Tensor
    grad_v0: Tensor


def pair(dynamics: str, reset: str, detach: bool, function: str, backend: str = "torch") -> tuple[Any, Any]:
    """Our neuron and SpikingJelly's with the same constants, multi-step."""
    leak = DYNAMICS[dynamics]
    common = {"v_threshold": 0.9, "v_reset": RESETS[reset], "surrogate_function": SURROGATES[function]}
    common |= {"detach_reset": detach, "step_mode": "m"}
    if leak is None:
        return IF(backend=backend, **common), neuron.IFNode(**common)
    return LIF(backend=backend, **leak, **common), neuron.LIFNode(**leak, **common)


def currents(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """Random input currents at which about a third of the neurons fire."""
    return (torch.randn(shape, dtype=torch.float64, generator=_seeded(seed)) * 1.2 + 0.7).to(dtype)


def run(node: Any, x: Tensor, v0: Tensor) -> Outcome:
    """Forwards from membrane v0 and backwards from fixed random gradients of spikes and last membrane."""
    x, v0 = x.detach().requires_grad_(), v0.detach().requires_grad_()
    node.reset()
    node.v = v0
    spikes = node(x)
    up = torch.randn(x.shape, dtype=torch.float64, generator=_seeded(1)).to(x.dtype)
    up_v = torch.randn(v0.shape, dtype=torch.float64, generator=_seeded(2)).to(x.dtype)
    grads = torch.autograd.grad((spikes, node.v), (x, v0), (up, up_v))
    return Outcome(spikes.detach(), node.v.detach(), *grads)


def saved_bytes(work: Any) -> int:
    """Bytes that autograd keeps for the backward of work(): each tensor's memory once."""
    kept: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        result = work()
    del result
    return sum(kept.values())


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
