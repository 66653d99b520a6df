"""Backend `braincog`: our neurons step by step on BrainCog's own nodes, and its nodes turned into ours and back.

The slow reference for parity with work published on BrainCog: charge, spike, reset and surrogate are its code. Its
peculiarities: it fires at h > threshold where we fire at h >= threshold (only with its sigmoid surrogate it fires at
the threshold too), its spikes are float32 whatever comes in, it resets to 0 without gradient, and it scales every
input by 1/tau, so that `decay_input=False` is given tau times the input and agrees to rounding.

Importing BrainCog brings timm, tonic, dv (AGPL) and more along and takes seconds to a minute. Only a forward of this
backend and `to_braincog` do it.
"""

from __future__ import annotations

import copy
import functools
import warnings
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from spikingjelly.activation_based import base, surrogate
from torch import Tensor, nn

from neurogen.neurons.dynamics import Dynamics
from neurogen.neurons.surrogate import Rect

DEVICES = ()  # `auto` never takes it
HOME = "braincog.base.node"
KINDS = ("IFNode", "LIFNode", "PLIFNode")
SHAPES = {"QGateGrad": surrogate.PiecewiseQuadratic, "AtanGrad": surrogate.ATan, "SigmoidGrad": surrogate.Sigmoid}
BOX, BOX_ALPHA = "GateGrad", 2.0  # 1 on |u| < 1 / alpha: a box of area 1 for this alpha alone
FIRES_AT_THRESHOLD = "SigmoidGrad"


def refusal(d: Dynamics, x: Tensor) -> str | None:
    """Why this backend cannot run such a neuron on such an input, or None; imports nothing."""
    del x
    return missing() or _unlike(d)


def missing() -> str | None:
    """That BrainCog is absent, with the line that installs it, or None."""
    return None if find_spec("braincog") else "BrainCog is not installed (pip install braincog)"


def multi_step(x: Tensor, v: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
    """Spikes (T, N, ...) in x's dtype and last membrane (N, ...) in float32 (float64 for float64 x).

    x: (T, N, ...) input currents; v: (N, ...) membrane to start from, None for rest.
    """
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    node = _their_node(d, d.threshold, wide.dtype).to(wide.device)
    node.mem = node.mem if v is None else v
    spikes = [node(_current(step, node) if _takes_whole(d) else step) for step in wide.unbind()]
    return torch.stack(spikes).to(x.dtype), node.mem


def gate(x: Tensor, v: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
    """x * neuron(x) (T, N, ...) in x's dtype and last membrane (N, ...); arguments as `multi_step`."""
    spikes, v = multi_step(x, v, d)
    return x * spikes, v


class InTheirPlace(nn.Module):
    """A neuron of ours in a BrainCog network; steps: of one call on (steps N, ...), 0 for one step on (N, ...)."""

    def __init__(self, neuron: Any, steps: int) -> None:
        super().__init__()
        self.neuron, self.steps = neuron, steps

    def forward(self, x: Tensor) -> Tensor:
        """Spikes, shaped as x."""
        return self.neuron(x.unflatten(0, (self.steps, -1))).flatten(0, 1) if self.steps else self.neuron(x)

    def n_reset(self) -> None:
        """BrainCog's name for a reset, which its networks call."""
        self.neuron.reset()


class InOurPlace(base.MemoryModule):
    """A node of BrainCog's in a network of ours; whole: it must not scale its input by 1/tau."""

    backend, store_v_seq = "spikingjelly", False  # what a gate asks: no fused path

    def __init__(self, node: Any, step_mode: str, whole: bool) -> None:
        super().__init__()
        self.node, self.step_mode, self.whole = node, step_mode, whole

    def single_step_forward(self, x: Tensor) -> Tensor:
        """Spikes (N, ...) in x's dtype."""
        return self.node(_current(x, self.node) if self.whole else x).to(x.dtype)

    def multi_step_forward(self, x_seq: Tensor) -> Tensor:
        """Spikes (T, N, ...) in x_seq's dtype."""
        return torch.stack([self.single_step_forward(x) for x in x_seq.unbind()])

    def reset(self) -> None:
        """To rest."""
        super().reset()
        self.node.n_reset()


def from_braincog(module: nn.Module, backend: str = "auto") -> nn.Module:
    """A copy of `module` with our neurons in place of BrainCog's; weights and buffers are shared, not copied.

    IFNode, LIFNode and PLIFNode have an exact equal, ties included: our threshold is the next number above theirs.
    Steps stay as they were. A node called once a step goes on taking (N, ...) and keeps its membrane from call to call
    until `n_reset`; one with layer_by_layer takes (T N, ...), all steps at once. Imports nothing of BrainCog. Raises
    ValueError for a node that has no equal, or where there is none.
    """
    places: dict[int, nn.Module] = {}
    for name, part in module.named_modules():
        if id(part) in places:
            continue
        if isinstance(part, InOurPlace):
            places[id(part)] = _our_neuron(name, part.node, backend, part.step_mode, not part.whole)
            places[id(part.node)] = part.node  # dealt with
        elif _is_theirs(part):
            steps = int(part.step) if part.layer_by_layer else 0
            ours = _our_neuron(name, part, backend, "m" if steps else "s", True)
            places[id(part)] = InTheirPlace(ours, steps).train(part.training)
    return _copy(module, places, "BrainCog's nodes")


def to_braincog(module: nn.Module) -> nn.Module:
    """A copy of `module` with BrainCog's nodes in place of our neurons; weights and buffers are shared, not copied.

    The way back of `from_braincog`, ties included. A neuron of ours in multi-step mode becomes a loop over its steps.
    Raises ValueError for a neuron that BrainCog has no equal of, where there is none, and without BrainCog.
    """
    from neurogen.neurons.lif import IF, LIF, PLIF

    wide = (p.dtype for p in module.parameters() if p.dtype in (torch.float32, torch.float64))
    dtype = next(wide, torch.float32)
    places: dict[int, nn.Module] = {}
    for name, part in module.named_modules():
        ours: Any = part.neuron if isinstance(part, InTheirPlace) else part
        if id(part) in places or not isinstance(ours, (IF, LIF, PLIF)):
            continue
        d = ours.dynamics()
        reason = missing() or _unlike(d)
        if reason is not None:
            raise ValueError(f"{name or 'it'} cannot become a node of BrainCog's: {reason}")
        shape, _ = _their_surrogate(d.surrogate)
        node = _their_node(d, _next(d.threshold, -1, shape, dtype), dtype).train(part.training)
        if isinstance(part, InTheirPlace):
            node.layer_by_layer, node.step = bool(part.steps), part.steps or node.step
            places[id(part)], places[id(ours)] = node, ours
        else:
            places[id(part)] = InOurPlace(node, ours.step_mode, _takes_whole(d)).train(part.training)
    return _copy(module, places, "neurons of ours")


def _unlike(d: Dynamics) -> str | None:
    if d.reset is None:
        return "BrainCog's nodes have no soft reset"
    if d.reset:
        return f"BrainCog's nodes reset to 0, not to {d.reset:g}"
    if not d.detach_reset:
        return "BrainCog's nodes detach the reset"
    return None if _their_surrogate(d.surrogate) else f"BrainCog has no surrogate like {d.surrogate}"


def _their_surrogate(function: Any) -> Any:
    """Name and alpha of BrainCog's equal of a surrogate of ours, or None."""
    if type(function) is Rect:
        return (BOX, BOX_ALPHA) if (function.width, function.offset) == (1.0, 0.0) else None
    if type(function) is surrogate.Rect:
        return (BOX, BOX_ALPHA) if function.alpha == 1.0 else None
    name = next((name for name, shape in SHAPES.items() if type(function) is shape), None)
    return None if name is None or not function.spiking else (name, float(function.alpha))


def _our_surrogate(name: str, function: Any) -> Any:
    shape, alpha = type(function).__name__, getattr(function, "alpha", None)
    if isinstance(alpha, nn.Parameter) and alpha.requires_grad:
        raise ValueError(f"{name} has a surrogate that learns; say act_fun.alpha.requires_grad_(False) before")
    if shape == BOX and float(alpha) == BOX_ALPHA:
        return Rect(1.0)
    if shape not in SHAPES:
        raise ValueError(f"{name} has the surrogate {shape}, of which there is no equal here; take QGateGrad")
    return SHAPES[shape](alpha=float(alpha))


def _their_node(d: Dynamics, threshold: float, dtype: torch.dtype) -> Any:
    """A fresh node at rest; `_unlike` has found nothing. A learned time constant is shared."""
    nodes, surrogates = _imported()
    shape, alpha = _their_surrogate(d.surrogate)
    kind = "PLIFNode" if d.learned is not None else "IFNode" if d.tau is None else "LIFNode"
    node = getattr(nodes, kind)(threshold=threshold, act_fun=getattr(surrogates, shape))
    node.threshold.data = torch.full((), threshold, dtype=dtype)
    node.act_fun.alpha.data.fill_(alpha)
    node.act_fun.requires_grad_(False)
    if d.learned is not None:
        node.w = d.learned
    elif d.tau is not None:
        node.tau = d.tau
    node.n_reset()
    return node


def _our_neuron(name: str, node: Any, backend: str, step_mode: str, decay_input: bool) -> Any:
    from neurogen.neurons.lif import IF, LIF, PLIF

    name = f"{name} ({type(node).__name__})" if name else type(node).__name__
    if type(node).__name__ not in KINDS:
        raise ValueError(f"{name} has no equal here; only {', '.join(KINDS)} of BrainCog's nodes have one")
    plain = {"groups": 1, "v_reset": 0.0, "dt": 1.0, "sigmoid_thres": False, "mem_detach": False}
    for setting, value in ({"requires_fp": False, "requires_mem": False} | plain).items():
        if getattr(node, setting) != value:
            raise ValueError(f"{name} has {setting}={getattr(node, setting)}, expected {value}; set it before")
    if node.threshold.requires_grad:
        raise ValueError(f"{name} learns its threshold, ours do not; say threshold.requires_grad_(False) before")
    function = _our_surrogate(name, node.act_fun)
    dtype = torch.float64 if node.threshold.dtype == torch.float64 else torch.float32
    threshold = _next(float(node.threshold), 1, type(node.act_fun).__name__, dtype)
    common = {"v_threshold": threshold, "surrogate_function": function, "step_mode": step_mode, "backend": backend}
    if type(node).__name__ == "IFNode":
        return IF(**common).train(node.training)
    if type(node).__name__ == "LIFNode":
        return LIF(tau=float(node.tau), decay_input=decay_input, **common).train(node.training)
    ours = PLIF(decay_input=decay_input, **common).train(node.training)
    ours.w = node.w
    return ours


def _next(threshold: float, direction: int, shape: str, dtype: torch.dtype) -> float:
    """The threshold t' for which h >= t' is h > t (direction 1), or h > t' is h >= t (-1), for h of that dtype."""
    if shape == FIRES_AT_THRESHOLD:
        return threshold
    here = torch.tensor(threshold, dtype=dtype)
    return float(torch.nextafter(here, torch.full_like(here, direction * float("inf"))))


def _takes_whole(d: Dynamics) -> bool:
    return not d.decay_input and (d.tau is not None or d.learned is not None)


def _current(x: Tensor, node: Any) -> Tensor:
    """What a node that scales its input by 1/tau must be given to take x whole."""
    return x / node.w.sigmoid() if hasattr(node, "w") else x * node.tau


def _is_theirs(module: nn.Module) -> bool:
    return any(f"{kind.__module__}.".startswith(f"{HOME}.") for kind in type(module).__mro__)


def _copy(module: nn.Module, places: dict[int, nn.Module], what: str) -> nn.Module:
    """A copy with other modules in some places, and the same tensors."""
    if not places:
        raise ValueError(f"expected a network with {what}, found none in {type(module).__name__}")
    tensors = (*module.parameters(), *module.buffers())
    return copy.deepcopy(module, {id(tensor): tensor for tensor in tensors} | places)


@functools.cache
def _imported() -> tuple[Any, Any]:
    """BrainCog's nodes and surrogates; raises ValueError where it does not import."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it brings along
            return import_module(f"{HOME}.node"), import_module("braincog.base.strategy.surrogate")
    except Exception as error:
        reason = missing() or f"BrainCog does not import here ({' '.join(str(error).split())[:160]}); mend its packages"
        raise ValueError(reason) from error
