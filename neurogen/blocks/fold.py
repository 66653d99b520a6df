"""Running a stateless layer on all time steps at once."""

from __future__ import annotations

from torch import Tensor, nn


def fold(layer: nn.Module, x: Tensor) -> Tensor:
    """Apply a layer of (N, C, H, W) to (T, N, C, H, W) with T folded into the batch."""
    return layer(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class Folded(nn.Module):
    """A stateless layer as a layer of (T, N, C, H, W)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return fold(self.layer, x)
