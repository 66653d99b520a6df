"""BrainCog's IF, LIF and PLIF nodes and four surrogates, rewritten from their definitions, under its names.

    v' = v + x  or  v + (x - v) / tau        s = v' > threshold        v = v' (1 - s), s without gradient

`braincog_agreement.py` has the real ones.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

HOME = "braincog.base.node.node"


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, slope: Tensor, at: bool) -> Tensor:
        ctx.save_for_backward(slope)
        return ((u >= 0) if at else (u > 0)).float()  # float32 whatever comes in

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad * ctx.saved_tensors[0], None, None


class _Surrogate(nn.Module):
    at = False

    def __init__(self, alpha: float = 2.0, requires_grad: bool = False) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(alpha), requires_grad=requires_grad)

    def forward(self, u: Tensor) -> Tensor:
        return _Fire.apply(u, self.slope(u.detach(), float(self.alpha.detach())), self.at)


class QGateGrad(_Surrogate):
    def slope(self, u: Tensor, a: float) -> Tensor:
        return (a - a * a * u.abs()).clamp_min(0)


class AtanGrad(_Surrogate):
    def slope(self, u: Tensor, a: float) -> Tensor:
        return a / 2 / (1 + (math.pi / 2 * a * u).square())


class SigmoidGrad(_Surrogate):
    at = True

    def slope(self, u: Tensor, a: float) -> Tensor:
        return a * (a * u).sigmoid() * (-a * u).sigmoid()


class GateGrad(_Surrogate):
    def slope(self, u: Tensor, a: float) -> Tensor:
        return (u.abs() < 1 / a).to(u)


class _Node(nn.Module):
    def __init__(self, threshold: float = 0.5, act_fun: Any = QGateGrad, step: int = 8, layer_by_layer: bool = False):
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(threshold), requires_grad=False)
        self.act_fun = act_fun(alpha=2.0)
        self.mem: Any = 0.0
        self.v_reset, self.dt, self.groups, self.sigmoid_thres = 0.0, 1.0, 1, False
        self.mem_detach = self.requires_fp = self.requires_mem = False
        self.step, self.layer_by_layer = step, layer_by_layer

    def n_reset(self) -> None:
        self.mem = self.v_reset

    def forward(self, x: Tensor) -> Tensor:
        if self.layer_by_layer:
            return torch.stack([self._once(part) for part in x.unflatten(0, (self.step, -1))]).flatten(0, 1)
        return self._once(x)

    def _once(self, x: Tensor) -> Tensor:
        self.mem = self.charged(x)
        spike = self.act_fun(self.mem - self.threshold)
        self.mem = self.mem * (1 - spike.detach())
        return spike


class IFNode(_Node):
    __module__ = HOME

    def charged(self, x: Tensor) -> Tensor:
        return self.mem + x * self.dt


class LIFNode(_Node):
    __module__ = HOME

    def __init__(self, threshold: float = 0.5, tau: float = 2.0, **others: Any) -> None:
        super().__init__(threshold, **others)
        self.tau = tau

    def charged(self, x: Tensor) -> Tensor:
        return self.mem + (x - self.mem) / self.tau


class PLIFNode(_Node):
    __module__ = HOME

    def __init__(self, threshold: float = 1.0, tau: float = 2.0, **others: Any) -> None:
        super().__init__(threshold, **others)
        self.w = nn.Parameter(torch.tensor(-math.log(tau - 1)))

    def charged(self, x: Tensor) -> Tensor:
        return self.mem + (x - self.mem) * self.w.sigmoid()


class BurstLIFNode(LIFNode):
    __module__ = HOME
