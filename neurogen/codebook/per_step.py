"""The codebook of single steps: every latent vector z_t of a site has an index of its own, from one table.

    k(t, site) = argmin_k || z_t - e_k ||^2,   e_k in R^D

The ablation of arXiv 2405.14474 ("vanilla"): T times the codes of the temporal codebook, which a prior has to join.
"""

from __future__ import annotations

from torch import Tensor

from neurogen.codebook.form import CodeForm
from neurogen.codebook.table import TableCodebook
from neurogen.config import CodebookConfig


class PerStepCodebook(TableCodebook):
    """table: (K, D); codes (T, N, h, w)."""

    def __init__(self, config: CodebookConfig, steps: int) -> None:
        super().__init__(config, steps, config.width)
        self.blocks = steps

    def form(self, height: int, width: int) -> CodeForm:
        return CodeForm(self.steps, 0, self.config.size, height, width)

    def shape(self, z: Tensor) -> tuple[int, ...]:
        return (*z.shape[:2], *z.shape[3:])

    def vectors(self, z: Tensor) -> Tensor:
        return z.permute(0, 1, 3, 4, 2).reshape(-1, self.config.width)  # (T N h w, D)

    def values(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        return rows.view(*shape, self.config.width).permute(0, 1, 4, 2, 3)
