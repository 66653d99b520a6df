"""Fused multi-step IF/LIF and the gate x * LIF(x): one autograd node each, in place, blocked to fit the cache.

    h[t] = v[t-1] + (x[t] - (v[t-1] - r)) / tau   (decay_input)   or   v[t-1] - (v[t-1] - r) / tau + x[t]
    s[t] = h[t] >= threshold
    v[t] = r where s[t] else h[t]  (hard)         or   h[t] - threshold s[t]  (soft, r = 0)

Spikes equal SpikingJelly's path bit for bit (same operations in the same order). The neuron keeps u = h - threshold
for its backward, the gate x and boolean spikes only, from which h is computed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurogen.neurons.surrogate import derivative_

BLOCK = 1 << 18  # neurons per block: a scratch buffer of float32 is 1 MiB
_keep_above = torch.ops.aten.threshold_backward.grad_input  # out = grad where self > threshold, else 0, in one pass


@dataclass(frozen=True)
class Dynamics:
    """Constants of a layer; tau None is a non-leaky neuron, reset None a soft reset."""

    tau: float | None
    decay_input: bool
    threshold: float
    reset: float | None
    detach_reset: bool
    surrogate: Any

    @property
    def rest(self) -> float:
        """Where the membrane starts and decays to."""
        return 0.0 if self.reset is None else self.reset


def _charge(h: Tensor, v: Tensor, x: Tensor, d: Dynamics) -> None:
    if d.tau is None:
        torch.add(v, x, out=h)
    elif d.decay_input:
        if d.rest:
            torch.sub(v, d.rest, out=h)
            torch.sub(x, h, out=h)
        else:
            torch.sub(x, v, out=h)
        h.div_(d.tau).add_(v)
    else:
        if d.rest:
            torch.sub(v, d.rest, out=h).div_(d.tau)
        else:
            torch.div(v, d.tau, out=h)
        torch.sub(v, h, out=h).add_(x)


def _reset(v: Tensor, h: Tensor, below: Tensor, s: Tensor, d: Dynamics) -> None:
    """v <- membrane after the step; below = threshold - h (positive where there is no spike)."""
    if d.reset is None:
        torch.sub(h, s, alpha=d.threshold, out=v)
    else:
        _keep_above(h, below, 0.0, grad_input=v)
        if d.reset:
            v.add_(s, alpha=d.reset)


def _fire(below: Tensor, s: Tensor, h: Tensor, threshold: float) -> None:
    torch.mul(h, -1.0, out=below).add_(threshold)
    torch.le(below, 0.0, out=s)


class _Carry:
    """dL/dv going backwards in time over one block of neurons, and the scratch it needs."""

    def __init__(self, size: int, like: Tensor, d: Dynamics) -> None:
        self.d = d
        self.c, self.w, self.q = (like.new_empty(size) for _ in range(3))
        self.leak = 1.0 if d.tau is None else 1.0 - 1.0 / d.tau
        self.gain = 1.0 / d.tau if d.tau is not None and d.decay_input else 1.0

    def start(self, size: int, grad_v: Tensor | None) -> None:
        self.n, self.live = size, grad_v is not None
        if grad_v is not None:
            self.c[:size].copy_(grad_v)

    def step(self, out: Tensor, grad_s: Tensor, below: Tensor, more: bool) -> None:
        """out <- dL/dx[t] given dL/ds[t] and threshold - h[t]; `more` keeps dL/dv[t-1]."""
        d, c, w, q = self.d, self.c[: self.n], self.w[: self.n], self.q[: self.n]
        torch.neg(below, out=q)
        derivative_(w, q, d.surrogate)
        torch.mul(grad_s, w, out=out)
        if self.live:
            if not d.detach_reset:  # the reset depends on the spike too
                if d.reset is None:
                    torch.mul(c, w, out=q)
                    out.add_(q, alpha=-d.threshold)
                else:
                    torch.add(below, d.reset - d.threshold, out=q)  # reset - h
                    out.addcmul_(q.mul_(c), w)
            if d.reset is not None:
                _keep_above(c, below, 0.0, grad_input=c)
            out.add_(c)
        if more:
            torch.mul(out, self.leak, out=c)
        self.live = True
        if self.gain != 1.0:
            out.mul_(self.gain)


def _dense(x: Tensor) -> Tensor:
    """x itself where its T slabs lie one after the other without gaps (any inner layout), else a contiguous copy."""
    slabs = x.stride(0) == x[0].numel() and torch.ops.aten.is_non_overlapping_and_dense.default(x[0])
    return x if slabs or x.is_contiguous() else x.contiguous()


def _rows(x: Tensor) -> Tensor:
    """A dense (T, ...) tensor as (T, neurons), in memory order."""
    return x.as_strided((x.shape[0], x[0].numel()), (x[0].numel(), 1))


def _flat(x: Tensor) -> Tensor:
    return x.as_strided((x.numel(),), (1,))


def _laid_out_as(t: Tensor, like: Tensor) -> Tensor:
    """t with the strides and dtype of `like` (which has t's shape)."""
    if t.stride() == like.stride() and t.dtype == like.dtype:
        return t
    return torch.empty_like(like, memory_format=torch.preserve_format).copy_(t)


class _Neuron(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, v0: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
        x = _dense(x)
        spikes = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device)
        v_last = torch.empty_strided(x.shape[1:], x.stride()[1:], dtype=x.dtype, device=x.device)
        keep = any(ctx.needs_input_grad[:2])
        kept = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device) if keep else None
        rows, out, v_all = _rows(x), _rows(spikes), _flat(v_last)
        start = None if v0 is None else _flat(_laid_out_as(v0, v_last))
        below_all = None if kept is None else _rows(kept)
        size = min(BLOCK, max(rows.shape[1], 1))
        h_, w_ = x.new_empty(size), x.new_empty(size)
        for a in range(0, rows.shape[1], size):
            b = min(a + size, rows.shape[1])
            v, h, w = v_all[a:b], h_[: b - a], w_[: b - a]
            v.fill_(d.rest) if start is None else v.copy_(start[a:b])
            for t in range(rows.shape[0]):
                below = w if below_all is None else below_all[t, a:b]
                _charge(h, v, rows[t, a:b], d)
                _fire(below, out[t, a:b], h, d.threshold)
                _reset(v, h, below, out[t, a:b], d)
        ctx.d = d
        if kept is not None:
            ctx.save_for_backward(kept)
        ctx.set_materialize_grads(False)
        return spikes, v_last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_s: Tensor | None, grad_v: Tensor | None) -> tuple[Tensor, Tensor | None, None]:
        (kept,) = ctx.saved_tensors
        grad_x = torch.empty_strided(kept.shape, kept.stride(), dtype=kept.dtype, device=kept.device)
        grad_s = torch.zeros_like(grad_x) if grad_s is None else _laid_out_as(grad_s, grad_x)
        want_v0 = ctx.needs_input_grad[1]
        grad_v0 = torch.empty_strided(kept.shape[1:], kept.stride()[1:], dtype=kept.dtype, device=kept.device) if want_v0 else None
        below, out, upper = _rows(kept), _rows(grad_x), _rows(grad_s)
        last = None if grad_v is None else _flat(_laid_out_as(grad_v, kept[0]))
        size = min(BLOCK, max(below.shape[1], 1))
        carry = _Carry(size, kept, ctx.d)
        for a in range(0, below.shape[1], size):
            b = min(a + size, below.shape[1])
            carry.start(b - a, None if last is None else last[a:b])
            for t in reversed(range(below.shape[0])):
                carry.step(out[t, a:b], upper[t, a:b], below[t, a:b], more=bool(t) or want_v0)
            if grad_v0 is not None:
                _flat(grad_v0)[a:b].copy_(carry.c[: b - a])
        return grad_x, grad_v0, None


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, d: Dynamics) -> Tensor:
        x = _dense(x)
        y = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device)
        keep = ctx.needs_input_grad[0]
        fired = torch.empty_strided(x.shape, x.stride(), dtype=torch.bool, device=x.device) if keep else None
        rows, out = _rows(x), _rows(y)
        flags = None if fired is None else _rows(fired)
        size = min(BLOCK, max(rows.shape[1], 1))
        v_, h_, w_, s_ = (x.new_empty(size) for _ in range(4))
        for a in range(0, rows.shape[1], size):
            b = min(a + size, rows.shape[1])
            v, h, w, s = v_[: b - a], h_[: b - a], w_[: b - a], s_[: b - a]
            v.fill_(d.rest)
            for t in range(rows.shape[0]):
                _charge(h, v, rows[t, a:b], d)
                _fire(w, s, h, d.threshold)
                _reset(v, h, w, s, d)
                torch.mul(rows[t, a:b], s, out=out[t, a:b])
                if flags is not None:
                    flags[t, a:b].copy_(s)
        ctx.d = d
        if fired is not None:
            ctx.save_for_backward(x, fired)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor, None]:
        x, fired = ctx.saved_tensors
        d: Dynamics = ctx.d
        grad_x = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device)
        rows, out, upper, flags = _rows(x), _rows(grad_x), _rows(_laid_out_as(grad_y, grad_x)), _rows(fired)
        steps = rows.shape[0]
        size = min(max(BLOCK // steps, 1), max(rows.shape[1], 1))  # the whole trajectory of a block stays in the cache
        carry = _Carry(size, x, d)
        below_ = x.new_empty((steps, size))
        v_, h_, s_ = (x.new_empty(size) for _ in range(3))
        for a in range(0, rows.shape[1], size):
            b = min(a + size, rows.shape[1])
            v, h, s = v_[: b - a], h_[: b - a], s_[: b - a]
            v.fill_(d.rest)
            for t in range(steps):
                below = below_[t, : b - a]
                _charge(h, v, rows[t, a:b], d)
                _fire(below, s, h, d.threshold)
                _reset(v, h, below, s, d)
            carry.start(b - a, None)
            for t in reversed(range(steps)):
                torch.mul(upper[t, a:b], rows[t, a:b], out=h)
                carry.step(out[t, a:b], h, below_[t, : b - a], more=bool(t))
                s.copy_(flags[t, a:b])
                out[t, a:b].addcmul_(upper[t, a:b], s)
        return grad_x, None


def multi_step(x: Tensor, v0: Tensor | None, d: Dynamics) -> tuple[Tensor, Tensor]:
    """Spikes (T, N, ...) in x's dtype and last membrane (N, ...) in float32 (float64 for float64 x).

    x: (T, N, ...) input currents; v0: (N, ...) membrane to start from, or None for the reset value.
    """
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    spikes, v = _Neuron.apply(wide, v0, d)
    return spikes.to(x.dtype), v


def gate(x: Tensor, d: Dynamics) -> Tensor:
    """x * LIF(x) from rest: (T, N, ...) in x's dtype."""
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    return _Gate.apply(wide, d).to(x.dtype)
