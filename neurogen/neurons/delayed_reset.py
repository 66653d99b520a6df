"""LIF with a subtractive reset that comes one step late and does not decay: snnTorch's `Leaky`, in multi-step mode.

    u[t] = beta u[t-1] + x[t] - theta [u[t-1] > theta]        s[t] = [u[t] > theta], strictly

The gradient does not pass through the reset. It is a LIF neuron with a soft reset by theta / beta, which its next leak
makes theta, and runs on the same fused paths: u[t] = beta (u[t-1] - theta / beta s[t-1]) + x[t].
Shapes: (T, N, ...) in, spikes (T, N, ...) out in the same memory layout; `v` (N, ...) is u.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor

from neurogen.neurons.backend import choose_backend
from neurogen.neurons.dynamics import Dynamics
from neurogen.neurons.lif import _MultiStep


class DelayedReset(_MultiStep, neuron.BaseNode):
    """beta: what a membrane keeps per step, in (0, 1); surrogate_function: snnTorch's arctangent unless given."""

    def __init__(
        self,
        beta: float = 0.5,
        v_threshold: float = 1.0,
        surrogate_function: Any = None,
        step_mode: str = "m",
        store_v_seq: bool = False,
        backend: str = "auto",
    ) -> None:
        if not 0 < beta < 1:
            raise ValueError(f"expected a membrane to keep a share beta between 0 and 1 per step, got {beta}")
        function = surrogate_function or surrogate.ATan(alpha=2.0)
        super().__init__(float(v_threshold), None, function, True, step_mode, store_v_seq)
        self.beta, self.backend = float(beta), backend

    @property
    def __class__(self) -> type:
        return DelayedReset  # none of SpikingJelly's nodes: an exporter must not take it for one

    def extra_repr(self) -> str:
        return f"beta={self.beta:g}, v_threshold={self.v_threshold:g}, step_mode={self.step_mode}"

    @property
    def drop(self) -> float:
        """What a spike takes from the membrane before the next leak."""
        return self.v_threshold / self.beta

    def dynamics(self, dtype: torch.dtype = torch.float32) -> Dynamics:
        """Constants of this layer for membranes of that type."""
        function = self.surrogate_function
        return Dynamics(1 / (1 - self.beta), False, self._above(dtype), None, True, function, reset_by=self.drop)

    def single_step_functional_forward(
        self, inputs: tuple[Tensor, ...], states: tuple[Any, ...], **kwargs: object
    ) -> tuple[tuple[Tensor, ...], tuple[Any, ...]]:
        """Spikes (N, ...) of input currents (N, ...), and the membrane, in plain operations."""
        (x,), (u, *others) = inputs, states
        u = self.beta * u + x - self.v_threshold * self._fired(u)
        return (self.surrogate_function(u - self._above(u.dtype)).to(x.dtype),), (u, *others)

    def multi_step_forward(self, x_seq: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Spikes (T, N, ...) of input currents (T, N, ...)."""
        backend = choose_backend(self.backend, self, x_seq)
        if backend is None:
            return neuron.BaseNode.multi_step_forward(self, x_seq, *args, **kwargs)
        u = self.membrane(x_seq)
        start = None if u is None else u - self.drop * self._fired(u)
        wide = torch.float64 if x_seq.dtype == torch.float64 else torch.float32
        spikes, v = backend.multi_step(x_seq, start, self.dynamics(wide))
        self._memories["v"] = torch.add(v, spikes[-1].detach().to(v.dtype), alpha=self.drop)
        self.v_seq = None
        return spikes

    def _fired(self, u: Tensor) -> Tensor:
        return (u.detach() >= self._above(u.dtype)).to(u.dtype)

    def _above(self, dtype: torch.dtype) -> float:
        """The number next above the threshold: at or over it is over the threshold."""
        kind = np.float64 if dtype == torch.float64 else np.float32
        return float(np.nextafter(kind(self.v_threshold), kind(np.inf)))
