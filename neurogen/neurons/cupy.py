"""Backend `cupy`: IF, LIF and PLIF, and the gate x * neuron(x), as one CUDA kernel each way (`lif.cu`).

SpikingJelly dropped its CuPy backend in 2.0.0; this one is ours. Equations: `dynamics.py`. Spikes equal SpikingJelly's
bit for bit; the membrane is float32 whatever x is. Kept for the backward is x alone, from which the membrane is
computed again: 5 values an element move through memory in training, 2 without gradient. Registered with torch, so that
`torch.compile` keeps the operator; gradients of gradients come from the plain steps.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from spikingjelly.activation_based import surrogate
from torch import Tensor

from neurogen.neurons import launch
from neurogen.neurons.dynamics import Dynamics, step_by_step
from neurogen.neurons.launch import BOX, Neuron
from neurogen.neurons.surrogate import Rect, can_fuse

DEVICES = ("cuda",)  # where `auto` takes this backend
SURROGATES = (  # as lif.cu numbers them; the box comes last
    surrogate.PiecewiseQuadratic,
    surrogate.Sigmoid,
    surrogate.ATan,
    surrogate.PiecewiseExp,
    surrogate.SoftSign,
    surrogate.SuperSpike,
    surrogate.Erf,
)


def refusal(d: Dynamics, x: Tensor) -> str | None:
    """Why this backend cannot run such a neuron on such an input, or None."""
    absent = missing()
    if absent is not None:
        return absent
    if x.device.type not in DEVICES:
        return f"it is for cuda and the input is on {x.device.type}"
    if d.reset_by is not None:
        return "its reset subtracts something other than the threshold"
    if not can_fuse(d.surrogate) or type(d.surrogate) not in (*SURROGATES, surrogate.Rect, Rect):
        return f"it does not know the surrogate {type(d.surrogate).__name__}"
    return None if x.dtype in launch.IO else f"it does not know {x.dtype}"


@torch.compiler.assume_constant_result
def missing() -> str | None:
    """What this machine lacks for the backend, with the line that installs it, or None."""
    return _missing()


def multi_step(x: Tensor, v: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
    """Spikes (T, N, ...) in x's dtype and last membrane (N, ...) in float32.

    x: (T, N, ...) input currents; v: (N, ...) float32 membrane to start from, None for rest.
    """
    return _run(x, v, d.learned, _constants(d, gate=False))


def gate(x: Tensor, v: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
    """x * neuron(x) (T, N, ...) in x's dtype and last membrane (N, ...); arguments as `multi_step`."""
    return _run(x, v, d.learned, _constants(d, gate=True))


def _run(x: Tensor, v: Tensor | None, w: Tensor | None, neuron: Neuron) -> tuple[Tensor, Tensor]:
    if torch.compiler.is_compiling():
        return torch.ops.neurogen.fire(x, v, w, *neuron)
    return _Fire.apply(x, v, w, neuron)  # the same without the dispatcher, which takes longer than small launches


def _constants(d: Dynamics, gate: bool) -> Neuron:
    function: Any = d.surrogate
    if type(function) is Rect:
        shape = (BOX, 1.0 / function.width, function.offset)
    elif type(function) is surrogate.Rect:
        shape = (BOX, float(function.alpha), 0.0)
    else:
        shape = (SURROGATES.index(type(function)), float(function.alpha), 0.0)
    return Neuron(gate, d.tau, d.decay_input, d.threshold, d.reset, d.detach_reset, *shape)


def _dynamics(n: Neuron, w: Tensor | None) -> Dynamics:
    function = Rect(1.0 / n.alpha, n.offset) if n.surrogate == BOX else SURROGATES[n.surrogate](alpha=n.alpha)
    return Dynamics(n.tau, n.decay_input, n.threshold, n.reset, n.detach_reset, function, w)


_NEURON = (
    "bool gate, float? tau, bool decay_input, float threshold, float? reset, bool detach_reset, int surrogate, "
    "float alpha, float offset"
)


def _forward(x: Tensor, v: Tensor | None, w: Tensor | None, *neuron: Any) -> tuple[Tensor, Tensor]:
    x = _dense(x)
    out, last = _like(x), _like_step(x)
    launch.forward(x, _laid_out(v, x), _share(w), out, last, Neuron(*neuron))
    return out, last


def _backward(
    x: Tensor,
    v: Tensor | None,
    w: Tensor | None,
    above: Tensor | None,
    above_last: Tensor | None,
    to_v: bool,
    *neuron: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of x, of v (empty unless to_v) and of w (empty where it is None)."""
    x = _dense(x)
    share, grad_x = _share(w), _like(x)
    above = torch.zeros_like(x[:1]).expand(x.shape) if above is None else _aligned(above, x)
    grad_v = _like_step(x) if to_v else x.new_empty(0, dtype=torch.float32)
    start, upper, through = _laid_out(v, x), _laid_out(above_last, x), grad_v if to_v else None
    to_share = launch.backward(x, start, share, above, upper, grad_x, through, Neuron(*neuron))
    if w is None or share is None or to_share is None:
        return grad_x, grad_v, x.new_empty(0)
    return grad_x, grad_v, (to_share * share * (1.0 - share)).to(w.dtype).view(w.shape)


_fire = torch.library.custom_op(
    "neurogen::fire",
    _forward,
    mutates_args=(),
    schema=f"(Tensor x, Tensor? v, Tensor? w, {_NEURON}) -> (Tensor, Tensor)",
)
_fire_backward = torch.library.custom_op(
    "neurogen::fire_backward",
    _backward,
    mutates_args=(),
    schema=f"(Tensor x, Tensor? v, Tensor? w, Tensor? above, Tensor? above_last, bool to_v, {_NEURON})"
    " -> (Tensor, Tensor, Tensor)",
)


@_fire.register_fake
def _(x: Tensor, v: Tensor | None, w: Tensor | None, *neuron: Any) -> tuple[Tensor, Tensor]:
    x = _dense(x)
    return _like(x), _like_step(x)


@_fire_backward.register_fake
def _(
    x: Tensor,
    v: Tensor | None,
    w: Tensor | None,
    above: Tensor | None,
    above_last: Tensor | None,
    to_v: bool,
    *neuron: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    x = _dense(x)
    grad_v = _like_step(x) if to_v else x.new_empty(0, dtype=torch.float32)
    return _like(x), grad_v, x.new_empty(0) if w is None else torch.empty_like(w)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, v, w, *ctx.neuron = inputs
    ctx.save_for_backward(x, v, w)
    ctx.set_materialize_grads(False)


def _gradients(
    ctx: Any,
    above: Tensor | None,
    above_last: Tensor | None,
    backward: Callable[..., Any] = torch.ops.neurogen.fire_backward,
) -> tuple[Tensor | None, ...]:
    x, v, w = ctx.saved_tensors
    if torch.is_grad_enabled():  # somebody wants gradients of these gradients
        found = _differentiable(x, v, w, above, above_last, Neuron(*ctx.neuron))
    else:
        to_v = v is not None and ctx.needs_input_grad[1]
        found = backward(x, v, w, above, above_last, to_v, *ctx.neuron)
    wanted = (g if needed else None for g, needed in zip(found, ctx.needs_input_grad[:3], strict=True))
    return (*wanted, *(None for _ in ctx.neuron))


_fire.register_autograd(_gradients, setup_context=_keep)


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, v: Tensor | None, w: Tensor | None, neuron: Neuron) -> tuple[Tensor, Tensor]:
        out = _forward(x, v, w, *neuron)
        _keep(ctx, (x, v, w, *neuron), out)
        return out

    @staticmethod
    def backward(ctx: Any, above: Tensor | None, above_last: Tensor | None) -> tuple[Tensor | None, ...]:
        return (*_gradients(ctx, above, above_last, _backward)[:3], None)


def _differentiable(
    x: Tensor, v: Tensor | None, w: Tensor | None, above: Tensor | None, above_last: Tensor | None, neuron: Neuron
) -> tuple[Tensor | None, ...]:
    """Gradients of x, v and w that can be differentiated again."""
    spikes, last = step_by_step(x.float(), v, _dynamics(neuron, w))
    out = x * spikes.to(x.dtype) if neuron.gate else spikes.to(x.dtype)
    pairs = [(o, g) for o, g in ((out, above), (last, above_last)) if g is not None and o.requires_grad]
    inputs = [t for t in (x, v, w) if t is not None and t.requires_grad]
    outputs, upper = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(outputs, inputs, upper, create_graph=True, allow_unused=True))
    return tuple(next(found) if t is not None and t.requires_grad else None for t in (x, v, w))


def _share(w: Tensor | None) -> Tensor | None:
    return None if w is None else w.float().sigmoid()


def _dense(x: Tensor) -> Tensor:
    """x itself where each step of (T, N, ...) is a dense row, wherever it starts (expanded input too), else a copy."""
    places = sorted((stride, size) for stride, size in zip(x.stride()[1:], x.shape[1:], strict=True) if size != 1)
    expected = 1
    for stride, size in places:
        if stride != expected:
            return x.contiguous()
        expected *= size
    return x


def _like(x: Tensor) -> Tensor:
    """A new tensor like x, its steps one after the other."""
    strides = (math.prod(x.shape[1:]), *x.stride()[1:])
    return torch.empty_strided(x.shape, strides, dtype=x.dtype, device=x.device)


def _like_step(x: Tensor) -> Tensor:
    """A new float32 tensor like one step of x."""
    return torch.empty_strided(x.shape[1:], x.stride()[1:], dtype=torch.float32, device=x.device)


def _row_order(t: Tensor, x: Tensor) -> bool:
    """Whether the last dimensions of t lie in memory as a step of x does."""
    own = t.stride()[t.ndim - x.ndim + 1 :]
    return all(n == 1 or s == r for n, s, r in zip(x.shape[1:], own, x.stride()[1:], strict=True))


def _laid_out(t: Tensor | None, x: Tensor) -> Tensor | None:
    """t (N, ...) in float32, laid out as a step of x."""
    if t is None or (t.dtype == torch.float32 and _row_order(t, x)):
        return t
    return _like_step(x).copy_(t)


def _aligned(above: Tensor, x: Tensor) -> Tensor:
    """A gradient (T, N, ...) whose steps are laid out as x's, wherever they start; a copy where it is otherwise."""
    return above if above.dtype == x.dtype and _row_order(above, x) else _like(x).copy_(above)


@functools.cache
def _missing() -> str | None:
    cuda = torch.version.cuda
    if cuda is None:
        return "this torch is built without CUDA"
    if not torch.cuda.is_available():
        return "it needs an NVIDIA GPU and torch finds none"
    package = f"cupy-cuda{cuda.split('.')[0]}x"
    line = f'pip install "{package}[ctk]"'
    if find_spec("cupy") is None:
        return f"CuPy is not installed ({line})"
    try:
        with warnings.catch_warnings():  # of where CuPy looked for a toolkit
            warnings.simplefilter("ignore")
            import cupy

        built = cupy.cuda.runtime.runtimeGetVersion() // 1000
    except Exception as error:  # an ImportError or whatever a broken installation raises
        return f"CuPy does not load ({' '.join(str(error).split())[:200]}; {line})"
    if built != int(cuda.split(".")[0]):
        return f"CuPy is for CUDA {built} and torch for CUDA {cuda} (pip uninstall cupy-cuda{built}x; {line})"
    return None
