"""Batch norm over the batch of all processes: moments are reduced forward, gradients backward.

    mu = sum_r n_r mu_r / n,   sigma^2 = sum_r (s_r + n_r (mu_r - mu)^2) / n      s_r: squared deviations of process r
    dx = g / sigma (dy - mean dy - x^ mean(dy x^)),   x^ = (x - mu) / sigma       means over all processes

(Ioffe and Szegedy 2015; moments joined as in Chan et al. 1983.) torch's SyncBatchNorm does this on CUDA alone. A layer
stays an nn.BatchNorm2d in all it has; alone, and in eval mode, it also does what that does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurogen.processes import all_rows, summed, together


class SharedBatchNorm2d(nn.BatchNorm2d):
    """(M, C, H, W) -> same; M may differ between the processes."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and together()):
            return super().forward(x)
        self._check_input_dim(x)
        return shared_batch_norm(self, x, self.weight)


def shared_batch_norm(
    layer: nn.modules.batchnorm._BatchNorm,
    x: Tensor,
    weight: Tensor | None,
    copies: int = 1,
    missing: Tensor | None = None,
) -> Tensor:
    """What batch norm `layer` makes of x (M, C, ...) in training with that weight (C,), by moments of all processes.

    Its running statistics move; copies: how many equal steps x stands for; missing (C,): what x lacks of its mean.
    """
    assert layer.momentum is not None and layer.running_mean is not None and layer.running_var is not None
    bias = layer.bias
    if weight is None:
        weight, bias = x.new_ones(x.shape[1]), None
    y, mean, variance, count = _SharedNorm.apply(x, weight, bias, layer.eps)
    with torch.no_grad():
        count = count * copies
        if layer.num_batches_tracked is not None:
            layer.num_batches_tracked.add_(1)
        mean = mean if missing is None else mean + missing
        layer.running_mean.lerp_(mean.to(layer.running_mean.dtype), layer.momentum)
        layer.running_var.lerp_((variance * (count / (count - 1))).to(layer.running_var.dtype), layer.momentum)
    return y


def share_statistics(module: nn.Module) -> None:
    """Let every batch norm in `module` use the moments of all processes, in place; nothing else of it changes.

    nn.BatchNorm2d, and layers of ours, which have `shares_statistics`.
    """
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = SharedBatchNorm2d
        elif hasattr(layer, "shares_statistics"):
            layer.shares_statistics = True


@contextmanager
def unmoved_statistics(module: nn.Module) -> Iterator[None]:
    """Batch norms compute as in training while the block runs, and keep their running statistics as they are."""
    layers = [(layer, layer.momentum) for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer, _ in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in layers:
            layer.momentum = momentum


class _SharedNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)  # of this process, in one pass
        size = mean.new_full((1,), x.numel() / x.shape[1])
        means, variances, sizes = all_rows(torch.cat((mean, variance, size))[None]).split((len(mean), len(mean), 1), 1)
        count = sizes.sum()
        mean = (means * sizes).sum(0) / count
        variance = ((variances + (means - mean).square()) * sizes).sum(0) / count
        y = torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, eps)[0]
        ctx.save_for_backward(x, weight, mean, variance, count)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance, count)
        return y, mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None]:
        x, weight, mean, variance, count = ctx.saved_tensors
        given = torch.ops.aten.native_batch_norm_backward(
            grad, x, weight, mean, variance, None, None, False, ctx.eps, [ctx.needs_input_grad[0], True, True]
        )
        dx, of_weight, of_bias = given  # dy g / sigma, and this process's sums of dy x^ and of dy
        if dx is not None:
            inverse = (variance + ctx.eps).rsqrt()
            both = summed(torch.stack((of_weight, of_bias))) / count
            slope = both[0] * inverse.square() * weight
            offset = both[1] * inverse * weight - slope * mean
            shape = (1, -1, *(1,) * (x.dim() - 2))
            dx = dx.sub_(offset.view(shape).to(dx.dtype)).addcmul_(x, slope.view(shape).to(dx.dtype), value=-1)
        return dx, of_weight, of_bias if ctx.needs_input_grad[2] else None, None
