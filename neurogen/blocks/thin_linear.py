"""A linear layer that reads a large weight once, at memory speed, when there are only a few rows.

    y[r, i] = sum_j W[i, j] x[r, j] + b[i]

Sampling one code multiplies every weight with T rows only, so its time is that of reading the weights; matrix
libraries, made for many rows, take several times longer. `_product` handles rows in pairs, each in the same order
of operations, so a row's result does not depend on the others. Training and small layers use torch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

THIN = 8  # rows up to which the loop beats a matrix product
LARGE = 1 << 19  # weights from which it is worth a call


class ThinLinear(nn.Linear):
    """nn.Linear, with its own loop for few rows on the CPU when no gradient is asked for."""

    def forward(self, x: Tensor) -> Tensor:
        if not self._streams(x):
            return super().forward(x)
        rows = x.detach().reshape(-1, self.in_features)
        y = x.new_empty(len(rows), self.out_features)
        product, set_threads, most = _product()
        set_threads(min(torch.get_num_threads(), most))
        product(self.weight.detach().numpy(), rows.numpy(), y.numpy())
        if self.bias is not None:
            y += self.bias
        return y.unflatten(0, x.shape[:-1])

    def _streams(self, x: Tensor) -> bool:
        return (
            0 < x.numel() <= THIN * self.in_features
            and self.weight.numel() >= LARGE
            and x.device.type == self.weight.device.type == "cpu"
            and x.dtype == self.weight.dtype
            and x.dtype in (torch.float32, torch.float64)
            and self.weight.is_contiguous()
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
            and not torch.compiler.is_compiling()
        )


@functools.cache
def _product() -> tuple[Callable[..., None], Callable[[int], None], int]:
    """product(weight (out, in), x (rows, in), y (rows, out)), compiled on first use; setter, limit of threads."""
    import numba

    @numba.njit(parallel=True, fastmath={"reassoc", "contract", "nsz"})
    def product(weight: Any, x: Any, y: Any) -> None:
        rows, width = x.shape
        for i in numba.prange(weight.shape[0]):
            for pair in range(0, rows, 2):
                r = max(min(pair, rows - 2), 0)  # an odd last row goes with one already done
                s = min(r + 1, rows - 1)
                one, two = x.dtype.type(0), x.dtype.type(0)
                for j in range(width):
                    one += weight[i, j] * x[r, j]
                    two += weight[i, j] * x[s, j]
                y[r, i], y[s, i] = one, two

    return product, numba.set_num_threads, numba.config.NUMBA_NUM_THREADS
