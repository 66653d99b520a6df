"""The temporal codebook: one index per site stands for a whole trajectory of T latent vectors (a time-cell sequence).

    temporal   k(site) = argmin_k || (z_1, ..., z_T) - e_k ||^2,   e_k in R^{T D}, time major
    repeated   the same with e_k = (f_k, ..., f_k), f_k in R^D: as many codes, and nothing of time in a row

Source: arXiv 2405.14474. A repeated row is nearest where f_k is nearest to the mean of z over the steps, since
sum_t |z_t - f|^2 = T |mean z - f|^2 + what does not depend on f.
"""

from __future__ import annotations

from torch import Tensor

from neurogen.codebook.form import CodeForm
from neurogen.codebook.table import TableCodebook
from neurogen.config import CodebookConfig


class TemporalCodebook(TableCodebook):
    """table: (K, T * D), time major then channel; codes (N, h, w)."""

    def __init__(self, config: CodebookConfig, steps: int) -> None:
        super().__init__(config, steps, steps * config.width)

    def form(self, height: int, width: int) -> CodeForm:
        return CodeForm(0, 0, self.config.size, height, width)

    def shape(self, z: Tensor) -> tuple[int, ...]:
        return (z.shape[1], *z.shape[3:])

    def vectors(self, z: Tensor) -> Tensor:
        return z.permute(1, 3, 4, 0, 2).reshape(-1, self.table.shape[1])  # (N h w, T D)

    def values(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        return rows.view(*shape, self.steps, self.config.width).permute(3, 0, 4, 1, 2)


class RepeatedCodebook(TemporalCodebook):
    """table: (K, D), every row the same at all T steps; codes (N, h, w)."""

    def __init__(self, config: CodebookConfig, steps: int) -> None:
        TableCodebook.__init__(self, config, steps, config.width)

    def vectors(self, z: Tensor) -> Tensor:
        return z.mean(0).permute(0, 2, 3, 1).reshape(-1, self.config.width)  # (N h w, D)

    def values(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        return rows.view(*shape, self.config.width).permute(0, 3, 1, 2).expand(self.steps, -1, -1, -1, -1)
