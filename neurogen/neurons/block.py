"""One step of a block of neurons forwards, and one backwards, in place with stock tensor operations.

Equations: `dynamics.py`. A block is a stretch of neurons in memory order, short enough that its membrane and scratch
stay in the cache over all T steps; `cpu.py` walks over the blocks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neurogen.neurons.dynamics import Dynamics
from neurogen.neurons.surrogate import derivative_

BLOCK = 1 << 18  # neurons per block: a scratch buffer of float32 is 1 MiB
_keep_above = torch.ops.aten.threshold_backward.grad_input  # out = grad where self > threshold, else 0, in one pass


def block_size(x: Tensor, parts: int = 1) -> int:
    """Neurons of x (T, N, ...) taken at once: a `parts`-th of BLOCK on the CPU, all of them elsewhere."""
    count = x[0].numel()
    return max(min(BLOCK // parts, count) if x.device.type == "cpu" else count, 1)


def blocks(count: int, size: int) -> list[slice]:
    """The stretches of `size` neurons, the last one shorter, that make up `count`."""
    return [slice(a, min(a + size, count)) for a in range(0, count, size)]


def dense(x: Tensor) -> Tensor:
    """x itself where its T slabs lie one after the other without gaps (any inner layout), else a contiguous copy."""
    slabs = len(x) == 1 or x.stride(0) == x[0].numel()
    return x if slabs and torch.ops.aten.is_non_overlapping_and_dense.default(x[0]) else x.contiguous()


def rows_of(x: Tensor) -> Tensor:
    """A dense (T, ...) tensor as (T, neurons), in memory order."""
    return x.as_strided((len(x), x[0].numel()), (x[0].numel(), 1))


def flat(x: Tensor) -> Tensor:
    return x.as_strided((x.numel(),), (1,))


def new_like(like: Tensor) -> Tensor:
    return torch.empty_strided(like.shape, like.stride(), dtype=like.dtype, device=like.device)


def laid_out_as(t: Tensor, like: Tensor) -> Tensor:
    """t with the strides and dtype of `like`, which has t's shape."""
    return t if t.stride() == like.stride() and t.dtype == like.dtype else new_like(like).copy_(t)


class Forward:
    """One step of a block of neurons, in place."""

    def __init__(self, d: Dynamics, like: Tensor) -> None:
        self.d = d
        self.threshold = torch.full((), d.threshold, dtype=like.dtype)
        # By a power of two, multiplying is as exact as dividing, and fuses with the addition.
        self.share = 1.0 / d.tau if d.tau is not None and math.frexp(d.tau)[0] == 0.5 else None

    def __call__(self, v: Tensor, x: Tensor, h: Tensor, below: Tensor, s: Tensor) -> None:
        """v: membrane before -> after; h scratch; below <- threshold - h; s <- spikes."""
        self._charge(v, x, h)
        torch.sub(self.threshold, h, out=below)
        torch.le(below, 0.0, out=s)
        if self.d.reset is None:
            torch.sub(h, s, alpha=self.d.drop, out=v)
        else:
            _keep_above(h, below, 0.0, grad_input=v)
            if self.d.reset:
                v.add_(s, alpha=self.d.reset)

    def _charge(self, v: Tensor, x: Tensor, h: Tensor) -> None:
        d = self.d
        if d.tau is None:
            torch.add(v, x, out=h)
            return
        away = torch.sub(v, d.rest, out=h) if d.rest else v
        if d.decay_input:
            torch.sub(x, away, out=h)
            torch.add(v, h, alpha=self.share, out=h) if self.share else h.div_(d.tau).add_(v)
        else:
            if self.share:
                torch.sub(v, away, alpha=self.share, out=h)
            else:
                torch.sub(v, torch.div(away, d.tau, out=h), out=h)
            h.add_(x)


class Backward:
    """dL/dx[t] of a block of neurons, backwards in time, in place.

    With g = dL/dh: g[t] = dL/ds[t] s' + leak g[t+1] dv[t]/dh[t] and dL/dx[t] = gain g[t]. What is carried from step
    to step is dL/dx[t+1] itself, so that it needs no buffer.
    """

    def __init__(self, d: Dynamics, size: int, like: Tensor) -> None:
        self.d = d
        self.slope, self.scratch = like.new_empty(size), like.new_empty(size)

    def start(self, grad_v: Tensor | None) -> None:
        """grad_v: gradient of the last membrane, or None."""
        self.later, self.factor = grad_v, 1.0

    def __call__(self, out: Tensor, grad_s: Tensor, below: Tensor) -> None:
        """out <- dL/dx[t], which must stay untouched until the next call."""
        d, later, w, q = self.d, self.later, self.slope[: len(out)], self.scratch[: len(out)]
        derivative_(w, below, d.surrogate, d.gain)
        torch.mul(grad_s, w, out=out)
        if later is not None:
            if not d.detach_reset:  # the reset depends on the spike too
                if d.reset is None:
                    torch.mul(later, w, out=q)
                    out.add_(q, alpha=-d.drop * self.factor)
                else:
                    torch.add(below, d.reset - d.threshold, out=q)  # reset - h
                    out.addcmul_(q.mul_(later), w, value=self.factor)
            if d.reset is not None:
                later = _keep_above(later, below, 0.0, grad_input=q)
            out.add_(later, alpha=self.factor * d.gain)
        self.later, self.factor = out, d.leak / d.gain

    def first(self, out: Tensor) -> None:
        """out <- gradient of the membrane before the first step."""
        torch.mul(self.later, self.factor, out=out)
