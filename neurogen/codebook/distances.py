"""Nearest rows by one matrix product, a slab of vectors at a time, so that memory stays small.

argmin_k |z - e_k|^2 = argmin_k |e_k|^2 / 2 - z . e_k
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurogen.full_precision import full_precision, wide

SLAB = 1 << 24  # distances held at once: 64 MiB of float32


@torch.no_grad()
def nearest_rows(vectors: Tensor, table: Tensor) -> Tensor:
    """(M,) int64 index of the row of table (K, D) nearest to each of vectors (M, D); ties take the lowest index."""
    vectors = wide(vectors)
    half_norms = table.square().sum(1).mul_(0.5)
    codes = torch.empty(len(vectors), dtype=torch.int64, device=vectors.device)
    slab = max(1, SLAB // len(table))
    with full_precision(vectors):
        for start in range(0, len(vectors), slab):
            part = slice(start, start + slab)
            codes[part] = torch.addmm(half_norms, vectors[part], table.t(), alpha=-1.0).argmin(1)
    return codes
