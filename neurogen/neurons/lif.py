"""LIF, IF and PLIF layers: SpikingJelly neurons in multi-step mode with our fused path on the CPU.

They *are* SpikingJelly's nodes (same constructor, states, `reset_net`, monitors, NIR exchange) and fire at
h >= v_threshold. Added: `backend`, a float32 membrane under 16-bit input, and copying after a training step.
Equations: `cpu.py`. Shapes: (T, N, ...) in, spikes (T, N, ...) out, membrane `v` (N, ...).
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor

from neurogen.neurons import cpu
from neurogen.neurons.backend import choose_backend


class _MultiStep:
    """What our three neurons add to SpikingJelly's."""

    backend: str

    @property
    def tau_now(self) -> float | None:
        """Time constant in steps, None without leak; NotImplemented where it is a parameter."""
        raise NotImplementedError

    def dynamics(self) -> cpu.Dynamics:
        """Constants for the fused path."""
        return cpu.Dynamics(
            self.tau_now,
            getattr(self, "decay_input", False),
            self.v_threshold,
            self.v_reset,
            self.detach_reset,
            self.surrogate_function,
        )

    def multi_step_forward(self, x_seq: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if choose_backend(self.backend, self, x_seq) == "torch":
            v = self._memories["v"]
            start = v if isinstance(v, Tensor) and v.shape == x_seq.shape[1:] else None
            spikes, self._memories["v"] = cpu.multi_step(x_seq, start, self.dynamics())
            self.v_seq = None
            return spikes
        return super().multi_step_forward(x_seq, *args, **kwargs)  # type: ignore[misc]

    def materialize_states(self, inputs: tuple[Tensor, ...], states: tuple[Any, ...], step_mode: str) -> tuple[Any, ...]:
        # SpikingJelly takes the input's dtype and then leaves its fused operators; a membrane wants 32 bits.
        states = super().materialize_states(inputs, states, step_mode)  # type: ignore[misc]
        if isinstance(states[0], Tensor) and states[0].dtype in (torch.float16, torch.bfloat16):
            return (states[0].float(), *states[1:])
        return states

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        # After a training step the membrane hangs on the graph, which torch refuses to copy.
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        state = dict(self.__dict__)
        memories = self._memories.items()
        state["_memories"] = {k: v.detach() if isinstance(v, Tensor) else v for k, v in memories}
        if isinstance(state.get("v_seq"), Tensor):
            state["v_seq"] = state["v_seq"].detach()
        twin.__dict__.update(copy.deepcopy(state, memo))
        return twin


class LIF(_MultiStep, neuron.LIFNode):
    """Leaky integrate-and-fire; arguments as SpikingJelly's LIFNode, and `backend`: auto, torch or spikingjelly."""

    def __init__(
        self,
        tau: float = 2.0,
        decay_input: bool = True,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Any = None,
        detach_reset: bool = True,
        store_v_seq: bool = False,
        backend: str = "auto",
    ) -> None:
        function = surrogate_function or surrogate.PiecewiseQuadratic(alpha=1.0)
        reset = None if v_reset is None else float(v_reset)
        super().__init__(float(tau), decay_input, float(v_threshold), reset, function, detach_reset, "m", store_v_seq)
        self.backend = backend

    @property
    def tau_now(self) -> float:
        return self.tau


class IF(_MultiStep, neuron.IFNode):
    """Integrate-and-fire without leak; arguments as SpikingJelly's IFNode, and `backend`."""

    def __init__(
        self,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Any = None,
        detach_reset: bool = True,
        store_v_seq: bool = False,
        backend: str = "auto",
    ) -> None:
        function = surrogate_function or surrogate.PiecewiseQuadratic(alpha=1.0)
        reset = None if v_reset is None else float(v_reset)
        super().__init__(float(v_threshold), reset, function, detach_reset, "m", store_v_seq)
        self.backend = backend

    @property
    def tau_now(self) -> None:
        return None


class PLIF(_MultiStep, neuron.ParametricLIFNode):
    """LIF with a learned time constant; arguments as SpikingJelly's ParametricLIFNode. Runs on its operator."""

    def __init__(
        self,
        init_tau: float = 2.0,
        decay_input: bool = True,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Any = None,
        detach_reset: bool = True,
        store_v_seq: bool = False,
        backend: str = "auto",
    ) -> None:
        function = surrogate_function or surrogate.PiecewiseQuadratic(alpha=1.0)
        reset = None if v_reset is None else float(v_reset)
        super().__init__(float(init_tau), decay_input, float(v_threshold), reset, function, detach_reset, "m", store_v_seq)
        self.backend = backend

    @property
    def tau_now(self) -> Any:
        return NotImplemented
