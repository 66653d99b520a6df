"""The form of codes: what one item's codes are, for whoever stores, predicts or draws them.

temporal, repeated   (N, h, w)         int64 indices; one stands for all T steps of its site
per_step             (T, N, h, w)      int64 indices, one for every step
spike                (T, N, m, h, w)   uint8 bits 0 and 1; what takes them takes any dtype
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class CodeForm:
    """steps: T that codes have an axis for, 0 where they have none; bits: m, 0 for indices; size: K, 2 for bits."""

    steps: int
    bits: int
    size: int
    height: int
    width: int

    @property
    def item_axis(self) -> int:
        """Where N stands in a batch of codes."""
        return 1 if self.steps else 0

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one item's codes, without N."""
        steps = (self.steps,) if self.steps else ()
        return (*steps, *((self.bits,) if self.bits else ()), self.height, self.width)

    def items_first(self, codes: Tensor) -> Tensor:
        """Codes of a batch as (N, *item_shape), the form in which they are stored and cut into batches."""
        return codes.movedim(self.item_axis, 0)

    def as_codes(self, items: Tensor) -> Tensor:
        """The inverse of `items_first`."""
        return items.movedim(0, self.item_axis)

    def joined(self, parts: list[Tensor]) -> Tensor:
        """Several batches of codes as one."""
        return torch.cat(parts, self.item_axis)

    def check(self, codes: Tensor) -> None:
        """Raises ValueError unless these are codes of this form: on a GPU, looking up others ends the process."""
        shape = list(map(str, self.item_shape))
        shape.insert(self.item_axis, "N")
        if codes.ndim != len(shape) or self.items_first(codes).shape[1:] != self.item_shape:
            raise ValueError(f"expected codes of shape ({', '.join(shape)}), got {tuple(codes.shape)}")
        if codes.dtype not in (torch.int32, torch.int64) and not self.bits:
            raise ValueError(f"expected codes of torch.int64, got {codes.dtype}; pass codes.long()")
        if codes.numel() and not 0 <= codes.min() <= codes.max() < self.size:
            found = f"{codes.min().item()} to {codes.max().item()}"
            raise ValueError(f"expected codes 0 to {self.size - 1}, got {found}")


@dataclass(frozen=True)
class Quantised:
    """values: (T, N, D, h, w), gradient passes straight through; codes: of the codebook's form; loss: scalar."""

    values: Tensor
    codes: Tensor
    loss: Tensor
