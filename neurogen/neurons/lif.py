"""LIF, IF and PLIF layers: SpikingJelly neurons in multi-step mode with our fused paths on the CPU and on CUDA.

They *are* SpikingJelly's nodes (states, `reset_net`, monitors, NIR exchange) and fire at h >= v_threshold. Added:
`backend`, a float32 membrane under 16-bit input, and copying after a training step. Defaults differ in three places:
multi-step mode, triangle surrogate, gradient not through the reset. Equations: `dynamics.py`.
Shapes: (T, N, ...) in, spikes (T, N, ...) out in the same memory layout, membrane `v` (N, ...).
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor

from neurogen.neurons.backend import choose_backend, refuse_stand_in
from neurogen.neurons.dynamics import Dynamics


def _bare(kind: type) -> Any:
    return kind.__new__(kind)


class _MultiStep:
    """What our three neurons add to SpikingJelly's."""

    stock: type
    backend: str
    compiled = False
    """Whether the CPU runs it compiled (`compile_neurons`)."""

    @property
    def __class__(self) -> type:
        # Exporters (NIR) look a layer up by its exact class; to them this is SpikingJelly's node.
        return self.stock

    def _get_name(self) -> str:
        return type(self).__name__

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _bare, (type(self),), self.__getstate__()

    def dynamics(self) -> Dynamics:
        """Constants of this layer, as a backend takes them."""
        raise NotImplementedError

    def membrane(self, x_seq: Tensor) -> Tensor | None:
        """Membrane (N, ...) that x_seq (T, N, ...) meets, or None for rest; a wide float on x_seq's device."""
        v = self._memories["v"]
        dtype = torch.float64 if x_seq.dtype == torch.float64 else torch.float32
        if isinstance(v, Tensor):
            return v.to(x_seq.device, dtype) if v.shape == x_seq.shape[1:] else None
        rest = 0.0 if self.v_reset is None else self.v_reset
        return None if v == rest else torch.full_like(x_seq[0], v, dtype=dtype, requires_grad=False)

    def single_step_forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Spikes (N, ...) of input currents (N, ...), by SpikingJelly; raises ValueError where another is meant."""
        refuse_stand_in(self.backend, self, "it takes all steps at once (step_mode='m')")
        return super().single_step_forward(x, *args, **kwargs)  # type: ignore[misc]

    def multi_step_forward(self, x_seq: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Spikes (T, N, ...) of input currents (T, N, ...)."""
        backend = choose_backend(self.backend, self, x_seq)
        if backend is None:
            return super().multi_step_forward(x_seq, *args, **kwargs)  # type: ignore[misc]
        spikes, self._memories["v"] = backend.multi_step(x_seq, self.membrane(x_seq), self.dynamics())
        self.v_seq = None
        return spikes

    def materialize_states(self, inputs: tuple[Tensor, ...], states: tuple[Any, ...], step_mode: str) -> Any:
        """SpikingJelly's hook before its operators, which need a float32 membrane to stay fused."""
        v, *others = super().materialize_states(inputs, states, step_mode)  # type: ignore[misc]
        if isinstance(v, Tensor) and v.dtype in (torch.float16, torch.bfloat16):
            old = states[0]  # taken as it was: rounding it to 16 bits and back would lose it
            same = isinstance(old, Tensor) and old.shape == v.shape
            v = old.to(v.device, torch.float32) if same else v.float()
        return (v, *others)

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


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


class LIF(_MultiStep, neuron.LIFNode):
    """Leaky integrate-and-fire; arguments as SpikingJelly's LIFNode, and `backend`, a name in `backend.py`."""

    stock = neuron.LIFNode

    def __init__(
        self,
        tau: float = 2.0,
        decay_input: bool = True,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Any = None,
        detach_reset: bool = True,
        step_mode: str = "m",
        store_v_seq: bool = False,
        backend: str = "auto",
    ) -> None:
        if not tau > 1:
            raise ValueError(f"expected a time constant tau above 1 step, got {tau}")
        function = surrogate_function or surrogate.PiecewiseQuadratic(alpha=1.0)
        threshold, reset = float(v_threshold), _number(v_reset)
        super().__init__(float(tau), decay_input, threshold, reset, function, detach_reset, step_mode, store_v_seq)
        self.backend = backend

    def dynamics(self) -> Dynamics:
        return Dynamics(
            self.tau, self.decay_input, self.v_threshold, self.v_reset, self.detach_reset, self.surrogate_function
        )


class IF(_MultiStep, neuron.IFNode):
    """Integrate-and-fire without leak; arguments as SpikingJelly's IFNode, and `backend`."""

    stock = neuron.IFNode

    def __init__(
        self,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Any = None,
        detach_reset: bool = True,
        step_mode: str = "m",
        store_v_seq: bool = False,
        backend: str = "auto",
    ) -> None:
        function = surrogate_function or surrogate.PiecewiseQuadratic(alpha=1.0)
        super().__init__(float(v_threshold), _number(v_reset), function, detach_reset, step_mode, store_v_seq)
        self.backend = backend

    def dynamics(self) -> Dynamics:
        return Dynamics(None, False, self.v_threshold, self.v_reset, self.detach_reset, self.surrogate_function)


class PLIF(_MultiStep, neuron.ParametricLIFNode):
    """LIF with a learned time constant; arguments as SpikingJelly's ParametricLIFNode, and `backend`."""

    stock = neuron.ParametricLIFNode

    def __init__(
        self,
        init_tau: float = 2.0,
        decay_input: bool = True,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        surrogate_function: Any = None,
        detach_reset: bool = True,
        step_mode: str = "m",
        store_v_seq: bool = False,
        backend: str = "auto",
    ) -> None:
        if not init_tau > 1:
            raise ValueError(f"expected a first time constant init_tau above 1 step, got {init_tau}")
        function = surrogate_function or surrogate.PiecewiseQuadratic(alpha=1.0)
        threshold, reset = float(v_threshold), _number(v_reset)
        super().__init__(float(init_tau), decay_input, threshold, reset, function, detach_reset, step_mode, store_v_seq)
        self.backend = backend

    def dynamics(self) -> Dynamics:
        function = self.surrogate_function
        return Dynamics(None, self.decay_input, self.v_threshold, self.v_reset, self.detach_reset, function, self.w)
