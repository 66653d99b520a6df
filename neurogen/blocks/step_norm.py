"""Batch norm at each time step by itself, as the spiking GANs and the SAE have it, for all steps at once.

    y_t = (x_t - mean_t) / sqrt(var_t + eps) w + b      mean_t, var_t: per channel over the items and places of step t
    r <- (1 - m) r + m s_t   for t = 1 to T             running statistics, in the order of steps

What T calls of nn.BatchNorm2d give, one step after the other. Where all steps are the same, one call moves the running
statistics as T would: m becomes 1 - (1 - m)^T. Shapes: T steps, N items, C channels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurogen.blocks.shared_norm import shared_batch_norm
from neurogen.processes import together


class StepNorm(nn.BatchNorm2d):
    """(T, N, C) or (T, N, C, H, W) -> same, channels innermost in memory."""

    shares_statistics = False
    """Whether moments are those of all processes (`share_statistics`)."""

    def forward(self, x: Tensor) -> Tensor:
        """Raises ValueError in training for a single value a step and channel, which has no variance."""
        if not self.training:
            return self._each(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        if self.shares_statistics and together():
            return torch.stack([shared_batch_norm(self, step, self.weight) for step in x])
        maps = x.movedim(2, -1)
        rows = maps.flatten(1, -2)
        if rows.shape[1] < 2:
            raise ValueError(f"expected two items or more to train batch norm per step, got {x.shape[1]}; batch more")
        self._count(len(x))
        return _Steps.apply(rows, self.weight, self.bias, self).view(maps.shape).movedim(-1, 2)

    def forward_constant(self, x: Tensor, steps: int) -> Tensor:
        """(N, C) or (N, C, H, W) that is the same at every step -> same."""
        if not self.training:
            return self._each(x)
        momentum = self.momentum
        assert momentum is not None
        self.momentum = 1 - (1 - momentum) ** steps
        try:
            if self.shares_statistics and together():
                y = shared_batch_norm(self, x, self.weight)
                steps -= 1  # one is counted
            else:
                y = self._each(x)
        finally:
            self.momentum = momentum
        self._count(steps)
        return y

    def _each(self, x: Tensor) -> Tensor:
        assert self.momentum is not None
        return nn.functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
        )

    def _count(self, steps: int) -> None:
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(steps)


class StepStage(nn.Module):
    """A linear layer or convolution, batch norm per step unless norm is None, neurons: (T, N, ...) -> same.

    gain: of the currents, where nothing else makes them large enough to fire.
    """

    def __init__(self, layer: nn.Module, norm: StepNorm | None, neuron: nn.Module, gain: float = 1.0) -> None:
        super().__init__()
        self.layer, self.norm, self.neuron, self.gain = layer, norm, neuron, gain

    def forward(self, x: Tensor) -> Tensor:
        current = self._scaled(self.layer(x.flatten(0, 1))).unflatten(0, x.shape[:2])
        return self.neuron(current if self.norm is None else self.norm(current))

    def forward_constant(self, x: Tensor, steps: int) -> Tensor:
        """The same for x (N, ...) that is shown at every step: its current is computed once."""
        current = self._scaled(self.layer(x))
        if self.norm is not None:
            current = self.norm.forward_constant(current, steps)
        current = current.movedim(1, -1)  # channels innermost, as the next layers compute fastest
        return self.neuron(current.expand(steps, *current.shape).contiguous().movedim(-1, 2))

    def _scaled(self, current: Tensor) -> Tensor:
        return current if self.gain == 1 else self.gain * current


class _Steps(torch.autograd.Function):
    """Batch norm of rows (T, M, C) per step; running statistics move in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: StepNorm) -> Tensor:
        y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        means, inverses = weight.new_empty(2, len(x), len(weight))
        moved = (norm.running_mean, norm.running_var)
        for step, out, mean, inverse in zip(x, y, means, inverses, strict=True):
            torch.native_batch_norm(
                _maps(step), weight, bias, *moved, True, norm.momentum, norm.eps, out=(_maps(out), mean, inverse)
            )
        ctx.save_for_backward(x, weight, means, inverses)
        ctx.eps = norm.eps
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, means, inverses = ctx.saved_tensors
        grad, dx = grad.contiguous(), torch.empty(x.shape, dtype=x.dtype, device=x.device)
        of_weight, of_bias = weight.new_empty(2, len(x), len(weight))
        for t in range(len(x)):
            torch.ops.aten.native_batch_norm_backward.out(
                _maps(grad[t]),
                _maps(x[t]),
                weight,
                None,
                None,
                means[t],
                inverses[t],
                True,
                ctx.eps,
                [True, True, True],
                out0=_maps(dx[t]),
                out1=of_weight[t],
                out2=of_bias[t],
            )
        return dx, of_weight.sum(0), of_bias.sum(0), None


def _maps(rows: Tensor) -> Tensor:
    """Rows (M, C) as one item (1, C, M, 1) whose channels are innermost, which CPUs normalise fastest."""
    return rows.t()[None, :, :, None]
