"""Surrogate derivatives of the spike: SpikingJelly's, a box of free width and offset, and snnTorch's fast sigmoid.

g'(u) replaces the derivative of the step at u = h - threshold. `derivative_` evaluates it in place for the fused
path; the classes below are those that it knows (spec of each: SpikingJelly's documentation of the class).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from spikingjelly.activation_based import surrogate
from torch import Tensor


class _Box(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, width: float, offset: float) -> Tensor:
        ctx.save_for_backward(u)
        ctx.box = (width, offset)
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (u,) = ctx.saved_tensors
        width, offset = ctx.box
        return grad * ((u - offset).abs() < width / 2).to(grad.dtype) / width, None, None


class Rect(torch.nn.Module):
    """g'(u) = 1 / width where |u - offset| < width / 2, else 0.

    Rect(1.0) is the even box of FSVAE's paper; Rect(1.0, -0.2), which is 1 on -0.7 < u < 0.3, that of its release.
    """

    def __init__(self, width: float = 1.0, offset: float = 0.0) -> None:
        super().__init__()
        if width <= 0:
            raise ValueError(f"expected a width above 0, got {width}")
        self.width, self.offset = float(width), float(offset)
        self.spiking = True

    def extra_repr(self) -> str:
        return f"width={self.width}, offset={self.offset}"

    def forward(self, u: Tensor) -> Tensor:
        """Spikes 0 or 1 of u = h - threshold, with the box as gradient."""
        return _Box.apply(u, self.width, self.offset)


class _Fast(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, alpha: float) -> Tensor:
        ctx.save_for_backward(u)
        ctx.alpha = alpha
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return grad / (1 + ctx.alpha * u.abs()).square(), None


class FastSigmoid(torch.nn.Module):
    """g'(u) = 1 / (1 + alpha |u|)^2, of height 1 whatever alpha is: snnTorch's `fast_sigmoid`, whose slope is alpha."""

    def __init__(self, alpha: float = 25.0) -> None:
        super().__init__()
        if alpha <= 0:
            raise ValueError(f"expected alpha above 0, got {alpha}")
        self.alpha = float(alpha)
        self.spiking = True

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"

    def forward(self, u: Tensor) -> Tensor:
        """Spikes 0 or 1 of u = h - threshold."""
        return _Fast.apply(u, self.alpha)


def _number(value: float, like: Tensor) -> Tensor:
    return torch.full((), value, dtype=like.dtype)  # on the CPU: torch takes it as a scalar on any device


def _triangle(w: Tensor, u: Tensor, alpha: float, scale: float) -> None:
    torch.abs(u, out=w)
    torch.sub(_number(alpha * scale, w), w, alpha=alpha * alpha * scale, out=w).clamp_min_(0.0)


def _sigmoid(w: Tensor, u: Tensor, alpha: float, scale: float) -> None:
    torch.mul(u, alpha, out=w).sigmoid_()
    w.addcmul_(w, w, value=-1.0).mul_(alpha * scale)


def _atan(w: Tensor, u: Tensor, alpha: float, scale: float) -> None:
    # alpha / 2 / (1 + (pi / 2 alpha u)^2), as the reciprocal of a + b u^2
    a = 2.0 / (alpha * scale)
    torch.addcmul(_number(a, w), u, u, value=a * (math.pi / 2 * alpha) ** 2, out=w).reciprocal_()


def _piecewise_exp(w: Tensor, u: Tensor, alpha: float, scale: float) -> None:
    torch.abs(u, out=w).mul_(-alpha).exp_().mul_(alpha / 2 * scale)


def _soft_sign(w: Tensor, u: Tensor, alpha: float, scale: float) -> None:
    torch.abs(u, out=w).add_(1 / alpha).square_().reciprocal_().mul_(scale / (2 * alpha))


def _super_spike(w: Tensor, u: Tensor, alpha: float, scale: float) -> None:
    torch.abs(u, out=w).add_(1.0).square_().reciprocal_().mul_(alpha * scale)


def _fast_sigmoid(w: Tensor, u: Tensor, alpha: float, scale: float) -> None:
    torch.abs(u, out=w).mul_(alpha).add_(1.0).square_().reciprocal_().mul_(scale)


def _erf(w: Tensor, u: Tensor, alpha: float, scale: float) -> None:
    torch.square(u, out=w).mul_(-alpha * alpha).exp_().mul_(alpha / math.sqrt(math.pi) * scale)


def _rect(w: Tensor, u: Tensor, alpha: float, scale: float) -> None:
    torch.abs(u, out=w)
    torch.lt(w, 0.5 / alpha, out=w).mul_(alpha * scale)


_DERIVATIVES: dict[type, Callable[[Tensor, Tensor, float, float], None]] = {
    surrogate.PiecewiseQuadratic: _triangle,
    surrogate.Sigmoid: _sigmoid,
    surrogate.ATan: _atan,
    surrogate.PiecewiseExp: _piecewise_exp,
    surrogate.SoftSign: _soft_sign,
    surrogate.SuperSpike: _super_spike,
    surrogate.Erf: _erf,
    surrogate.Rect: _rect,
    FastSigmoid: _fast_sigmoid,
}

SURROGATES: dict[str, Callable[[float], torch.nn.Module]] = {
    "triangle": lambda alpha: surrogate.PiecewiseQuadratic(alpha=alpha),
    "rect": lambda alpha: Rect(1.0 / alpha),
    "atan": lambda alpha: surrogate.ATan(alpha=alpha),
    "sigmoid": lambda alpha: surrogate.Sigmoid(alpha=alpha),
    "piecewise_exp": lambda alpha: surrogate.PiecewiseExp(alpha=alpha),
    "soft_sign": lambda alpha: surrogate.SoftSign(alpha=alpha),
    "super_spike": lambda alpha: surrogate.SuperSpike(alpha=alpha),
    "erf": lambda alpha: surrogate.Erf(alpha=alpha),
    "fast_sigmoid": FastSigmoid,
}


def can_fuse(function: Any) -> bool:
    """Whether `derivative_` knows this surrogate (its class exactly, a plain number as alpha, spiking)."""
    if type(function) is Rect:
        return True
    return type(function) in _DERIVATIVES and isinstance(function.alpha, (int, float)) and function.spiking


def derivative_(out: Tensor, below: Tensor, function: Any, scale: float = 1.0) -> None:
    """out <- scale * g'(h - threshold), in place; below: threshold - h, any shape."""
    if type(function) is Rect:
        torch.add(below, function.offset, out=out).abs_()
        torch.lt(out, function.width / 2, out=out).mul_(scale / function.width)
    else:  # even in its argument
        _DERIVATIVES[type(function)](out, below, float(function.alpha), scale)
