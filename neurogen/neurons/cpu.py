"""Backend `torch`: IF and LIF, and the gate x * LIF(x), fused into one autograd node each.

Equations: `dynamics.py`. Everything is written in place, over blocks of neurons that fit the cache. Spikes equal
SpikingJelly's bit for bit (the same roundings in the same order). The neuron keeps threshold - h for its backward;
the gate keeps x alone, from which h is computed again. Meant for the CPU, correct on any device.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurogen.neurons.block import Backward, Forward, block_size, blocks, dense, flat, laid_out_as, new_like, rows_of
from neurogen.neurons.dynamics import Dynamics, backward_step_by_step, step_by_step
from neurogen.neurons.surrogate import can_fuse

DEVICES = ("cpu",)  # where `auto` takes this backend
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def refusal(d: Dynamics, x: Tensor) -> str | None:
    """Why this backend cannot run such a neuron on such an input, or None."""
    if d.learned is not None:
        return "its time constant is learned"
    if not can_fuse(d.surrogate):
        return f"it does not know the surrogate {type(d.surrogate).__name__}"
    return None if x.dtype in FLOATS else f"it does not know {x.dtype}"


def multi_step(x: Tensor, v: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
    """Spikes (T, N, ...) in x's dtype and last membrane (N, ...) in float32 (float64 for float64 x).

    x: (T, N, ...) input currents; v: (N, ...) membrane to start from, None for rest.
    """
    spikes, v, _ = _Neuron.apply(_wide(x), v, d)
    return spikes.to(x.dtype), v


def gate(x: Tensor, v: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
    """x * LIF(x) (T, N, ...) in x's dtype and last membrane (N, ...); arguments as `multi_step`."""
    y, v = _Gate.apply(_wide(x), v, d)
    return y.to(x.dtype), v


def _wide(x: Tensor) -> Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


class _Neuron(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, v0: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor, Tensor | None]:
        x = dense(x)
        spikes, v_last = new_like(x), new_like(x[0])
        kept = new_like(x) if any(ctx.needs_input_grad) else None
        currents, fired, membrane = rows_of(x), rows_of(spikes), flat(v_last)
        start = None if v0 is None else flat(laid_out_as(v0, v_last))
        margins = None if kept is None else rows_of(kept)
        size = block_size(x)
        h, w = x.new_empty(size), x.new_empty(size)
        step = Forward(d, x)
        for block in blocks(v_last.numel(), size):
            v = membrane[block]
            n = len(v)
            v.fill_(d.rest) if start is None else v.copy_(start[block])
            for t in range(len(currents)):
                below = w[:n] if margins is None else margins[t, block]
                step(v, currents[t, block], h[:n], below, fired[t, block])
        ctx.d = d
        ctx.set_materialize_grads(False)
        if kept is not None:
            ctx.save_for_backward(kept)  # an output of this node, so that gradients can be differentiated again
        return spikes, v_last, kept

    @staticmethod
    def backward(ctx: Any, grad_s: Tensor | None, grad_v: Tensor | None, grad_below: Tensor | None) -> tuple[Any, ...]:
        (kept,) = ctx.saved_tensors
        if torch.is_grad_enabled() or grad_below is not None:
            grad_x, grad_v0 = backward_step_by_step(kept, grad_s, grad_v, grad_below, ctx.d)
            return grad_x, grad_v0 if ctx.needs_input_grad[1] else None, None
        grad_x = new_like(kept)
        grad_v0 = new_like(kept[0]) if ctx.needs_input_grad[1] else None
        grad_s = torch.zeros_like(grad_x) if grad_s is None else laid_out_as(grad_s, grad_x)
        margins, out, upper = rows_of(kept), rows_of(grad_x), rows_of(grad_s)
        last = None if grad_v is None else flat(laid_out_as(grad_v, kept[0]))
        size = block_size(kept)
        step = Backward(ctx.d, size, kept)
        for block in blocks(kept[0].numel(), size):
            step.start(None if last is None else last[block])
            for t in reversed(range(len(margins))):
                step(out[t, block], upper[t, block], margins[t, block])
            if grad_v0 is not None:
                step.first(flat(grad_v0)[block])
        return grad_x, grad_v0, None


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, v0: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, v0)
        x = dense(x)
        y, v_last = new_like(x), new_like(x[0])
        currents, out, membrane = rows_of(x), rows_of(y), flat(v_last)
        start = None if v0 is None else flat(laid_out_as(v0, v_last))
        size = block_size(x)
        h, w = x.new_empty(size), x.new_empty(size)
        step = Forward(d, x)
        for block in blocks(v_last.numel(), size):
            v = membrane[block]
            n = len(v)
            v.fill_(d.rest) if start is None else v.copy_(start[block])
            for t in range(len(currents)):
                step(v, currents[t, block], h[:n], w[:n], out[t, block])
                out[t, block].mul_(currents[t, block])
        ctx.d = d
        ctx.set_materialize_grads(False)
        return y, v_last

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor | None, grad_v: Tensor | None) -> tuple[Any, ...]:
        x, v0 = ctx.saved_tensors
        d: Dynamics = ctx.d
        if torch.is_grad_enabled():
            return *_gate_gradients(x, v0, grad_y, grad_v, d), None
        x = dense(x)
        grad_x = new_like(x)
        grad_v0 = new_like(x[0]) if ctx.needs_input_grad[1] else None
        grad_y = torch.zeros_like(grad_x) if grad_y is None else laid_out_as(grad_y, grad_x)
        currents, out, upper = rows_of(x), rows_of(grad_x), rows_of(grad_y)
        start = None if v0 is None else flat(laid_out_as(v0, x[0]))
        last = None if grad_v is None else flat(laid_out_as(grad_v, x[0]))
        steps = len(x)
        size = block_size(x, parts=max(steps // 4, 1))  # the trajectory of a block: four buffers' worth
        forward, backward = Forward(d, x), Backward(d, size, x)
        margins, both = x.new_empty((steps, size)), x.new_empty((2, size))
        v_, h_, s_ = x.new_empty((3, size))
        for block in blocks(x[0].numel(), size):
            n = block.stop - block.start
            v, h, s = v_[:n], h_[:n], s_[:n]
            v.fill_(d.rest) if start is None else v.copy_(start[block])
            for t in range(steps):
                forward(v, currents[t, block], h, margins[t, :n], s)
            backward.start(None if last is None else last[block])
            for t in reversed(range(steps)):
                through = both[t % 2, :n]
                torch.mul(upper[t, block], currents[t, block], out=h)
                backward(through, h, margins[t, :n])
                torch.le(margins[t, :n], 0.0, out=s)
                torch.addcmul(through, upper[t, block], s, out=out[t, block])
            if grad_v0 is not None:
                backward.first(flat(grad_v0)[block])
        return grad_x, grad_v0, None


def _gate_gradients(
    x: Tensor, v0: Tensor | None, grad_y: Tensor | None, grad_v: Tensor | None, d: Dynamics
) -> tuple[Tensor | None, Tensor | None]:
    """Differentiable gradients of the gate's x and first membrane."""
    spikes, v = step_by_step(x, v0, d)
    pairs = [(o, g) for o, g in ((x * spikes, grad_y), (v, grad_v)) if g is not None and o.requires_grad]
    inputs = [i for i in (x, v0) if i is not None and i.requires_grad]
    outputs, upper = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(outputs, inputs, upper, create_graph=True, allow_unused=True))
    return tuple(next(found) if i is not None and i.requires_grad else None for i in (x, v0))  # type: ignore[return-value]
