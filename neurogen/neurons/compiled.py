"""The recurrence compiled for the CPU (torch.compile): `neurons.compile=true`, for long runs.

Equations: `dynamics.py`. Each layer's forward and backward become one loop of C++ over its neurons, all T steps in
registers, so that memory bounds it; spikes equal SpikingJelly's bit for bit. Kept for the backward is x
alone, from which the membrane is computed again: 5 values an element move in training, 2 without gradient. The first
call of each kind compiles for seconds to a minute.
"""

from __future__ import annotations

import functools
import math
import types
import warnings
from collections.abc import Callable
from typing import Any

import torch
from spikingjelly.activation_based import surrogate
from torch import Tensor

from neurogen.full_precision import wide
from neurogen.neurons.block import dense, flat, laid_out_as, rows_of
from neurogen.neurons.dynamics import Dynamics, step_by_step
from neurogen.neurons.surrogate import FastSigmoid, Rect, can_fuse

DEVICES = ("cpu",)
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_Slope = Callable[[Tensor], Tensor]


def refusal(d: Dynamics, x: Tensor) -> str | None:
    """Why this backend cannot run such a neuron on such an input, or None; the first call tries the compiler."""
    if d.learned is not None:
        return "its time constant is learned"
    if not can_fuse(d.surrogate):
        return f"it does not know the surrogate {type(d.surrogate).__name__}"
    if x.dtype not in FLOATS:
        return f"it does not know {x.dtype}"
    return missing()


@functools.cache
def missing() -> str | None:
    """Why torch.compile does not work here, said once, or None."""
    try:
        torch.compile(lambda x: x + 1, fullgraph=True)(torch.ones(4))
    except Exception as error:  # whatever a compiler, its absence or a Python that torch does not know leads to
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        warnings.warn(f"neurons.compile=true needs a C++ compiler, neurons run uncompiled ({reason})", stacklevel=2)
        return reason
    return None


def multi_step(x: Tensor, v: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
    """Spikes (T, N, ...) in x's dtype and last membrane (N, ...) in float32 (float64 for float64 x).

    x: (T, N, ...) input currents; v: (N, ...) membrane to start from, None for rest.
    """
    return _run(x, v, d, gate=False)


def gate(x: Tensor, v: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
    """x * neuron(x) (T, N, ...) in x's dtype and last membrane (N, ...); arguments as `multi_step`."""
    return _run(x, v, d, gate=True)


def _run(x: Tensor, v: Tensor | None, d: Dynamics, gate: bool) -> tuple[Tensor, Tensor]:
    return _Compiled.apply(x, v, d, gate)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, v0: Tensor | None, d: Dynamics, gate: bool) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, v0)
        ctx.neuron = d, gate
        ctx.set_materialize_grads(False)
        x = dense(x.detach())
        run, _ = _functions(_key(d), gate, len(x))
        y, last = run(rows_of(x), _rows(v0, x))
        return y.as_strided(x.shape, x.stride()), last.as_strided(x.shape[1:], x.stride()[1:])

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor | None, grad_v: Tensor | None) -> tuple[Any, ...]:
        x, v0 = ctx.saved_tensors
        d, gate = ctx.neuron
        if torch.is_grad_enabled():  # somebody wants gradients of these gradients
            return *_differentiable(x, v0, grad_y, grad_v, d, gate), None, None
        x = dense(x.detach())
        above = torch.zeros_like(x) if grad_y is None else laid_out_as(grad_y, x)
        _, back = _functions(_key(d), gate, len(x))
        grad_x, grad_v0 = back(rows_of(x), _rows(v0, x), rows_of(above), _rows(grad_v, x))
        to_v = grad_v0.as_strided(x.shape[1:], x.stride()[1:]) if ctx.needs_input_grad[1] else None
        return grad_x.as_strided(x.shape, x.stride()), to_v, None, None


def _rows(v: Tensor | None, x: Tensor) -> Tensor | None:
    """A membrane (N, ...) or its gradient in the memory order of x's steps, flat."""
    if v is None:
        return None
    strides = x.stride()[1:]
    same = v.stride() == strides
    return flat(v.detach() if same else torch.empty_strided(v.shape, strides, dtype=v.dtype).copy_(v.detach()))


def _key(d: Dynamics) -> tuple[Any, ...]:
    """Constants that a compiled function has in it, comparable, which a surrogate is not."""
    function: Any = d.surrogate
    shape = (function.width, function.offset) if type(function) is Rect else (float(function.alpha),)
    return d.tau, d.decay_input, d.threshold, d.reset, d.detach_reset, d.reset_by, type(function), shape


@functools.cache
def _functions(key: tuple[Any, ...], gate: bool, steps: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Forward and backward over rows (T, n), compiled for any n."""
    tau, decay_input, threshold, reset, detach, reset_by, kind, shape = key
    d = Dynamics(tau, decay_input, threshold, reset, detach, torch.sigmoid, reset_by=reset_by)
    slope = _slope(kind, shape)

    def charged(v: Tensor, x: Tensor) -> Tensor:
        if d.tau is None:
            return v + x
        away = v - d.rest if d.rest else v
        share = math.frexp(d.tau)[0] == 0.5  # by a power of two, multiplying is as exact as dividing
        if d.decay_input:
            return v + ((x - away) * (1 / d.tau) if share else (x - away) / d.tau)
        return v - (away * (1 / d.tau) if share else away / d.tau) + x

    def after(h: Tensor) -> Tensor:
        if d.reset is None:
            return torch.where(h >= d.threshold, h - d.drop, h)
        return torch.where(h >= d.threshold, d.reset, h)

    def forward(x: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor]:
        dtype, x = x.dtype, wide(x)
        v = torch.full_like(x[0], d.rest) if v is None else v
        out = []
        for t in range(steps):
            h = charged(v, x[t])
            fired = h >= d.threshold
            out.append((x[t] * fired if gate else fired).to(dtype))
            v = after(h)
        return torch.stack(out), v + 0.0  # a tensor of its own where nothing moved it

    def backward(x: Tensor, v: Tensor | None, above: Tensor, carry: Tensor | None) -> tuple[Tensor, Tensor]:
        dtype, x, above = x.dtype, wide(x), wide(above)
        v = torch.full_like(x[0], d.rest) if v is None else v
        trace = []
        for t in range(steps):
            trace.append(charged(v, x[t]))
            v = after(trace[-1])
        carry = torch.zeros_like(x[0]) if carry is None else carry
        grads = []
        for t in reversed(range(steps)):
            h = trace[t]
            w, fired = slope(h - d.threshold), h >= d.threshold
            through = carry if d.reset is None else torch.where(fired, 0.0, carry)
            if not d.detach_reset:
                through = through + carry * w * (-d.drop if d.reset is None else d.reset - h)
            g = through + above[t] * w * (x[t] if gate else 1.0)
            grads.append((g * d.gain + torch.where(fired, above[t], 0.0) if gate else g * d.gain).to(dtype))
            carry = g * d.leak
        return torch.stack(grads[::-1]), carry

    return tuple(torch.compile(_own(f), dynamic=True, fullgraph=True) for f in (forward, backward))  # type: ignore[return-value]


def _own(function: types.FunctionType) -> types.FunctionType:
    """The function with code of its own: torch counts compilations by code, and gives up after a few."""
    code = function.__code__.replace()
    return types.FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )


def _slope(kind: type, shape: tuple[float, ...]) -> _Slope:
    """Surrogate derivative at u = h - threshold, as a plain function; `surrogate.py` has it in place."""
    if kind is Rect:
        width, offset = shape
        return lambda u: ((u - offset).abs() < width / 2).to(u.dtype) / width
    (a,) = shape
    return {
        surrogate.PiecewiseQuadratic: lambda u: (a - a * a * u.abs()).clamp_min(0.0),
        surrogate.Sigmoid: lambda u: torch.sigmoid(a * u) * (1 - torch.sigmoid(a * u)) * a,
        surrogate.ATan: lambda u: (a / 2) / (1 + (math.pi / 2 * a * u).square()),
        surrogate.PiecewiseExp: lambda u: (a / 2) * torch.exp(-a * u.abs()),
        surrogate.SoftSign: lambda u: 1 / (2 * a * (1 / a + u.abs()).square()),
        surrogate.SuperSpike: lambda u: a / (1 + u.abs()).square(),
        surrogate.Erf: lambda u: (a / math.sqrt(math.pi)) * torch.exp(-(a * u).square()),
        surrogate.Rect: lambda u: (u.abs() < 0.5 / a).to(u.dtype) * a,
        FastSigmoid: lambda u: 1 / (1 + a * u.abs()).square(),
    }[kind]


def _differentiable(
    x: Tensor, v: Tensor | None, above: Tensor | None, above_last: Tensor | None, d: Dynamics, gate: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of x and v that can be differentiated again."""
    spikes, last = step_by_step(wide(x), v, d)
    out = (x * spikes if gate else spikes).to(x.dtype)
    pairs = [(o, g) for o, g in ((out, above), (last, above_last)) if g is not None and o.requires_grad]
    inputs = [t for t in (x, v) if t is not None and t.requires_grad]
    outputs, upper = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(outputs, inputs, upper, create_graph=True, allow_unused=True))
    return tuple(next(found) if t is not None and t.requires_grad else None for t in (x, v))  # type: ignore[return-value]
