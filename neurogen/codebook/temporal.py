"""The temporal codebook: one index per site stands for a whole trajectory of T latent vectors (a time-cell sequence).

    k(site) = argmin_k || (z_1, ..., z_T) - e_k ||^2,   e_k in R^{T D}, time major
    loss    = commitment mean ||sg(e) - z||^2 + pull mean ||e - sg(z)||^2,   straight-through z + sg(e - z)

Source: arXiv 2405.14474. `learning=gradient` follows its release, where the commitment weighs 1 and the pull 0.25;
`ema` replaces the pull by running means.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neurogen.codebook.distances import nearest_rows
from neurogen.codebook.form import CodeForm
from neurogen.codebook.learning import kmeans, smooth_mean, step_generator, totals
from neurogen.config import CodebookConfig
from neurogen.processes import chosen_rows, count_of_rows, summed

START_VECTORS = 1 << 15  # latents of the batch that k-means starts from, at most


@dataclass(frozen=True)
class Quantised:
    """values: (T, N, D, h, w), gradient passes straight through; codes: (N, h, w) int64; loss: scalar."""

    values: Tensor
    codes: Tensor
    loss: Tensor


class TemporalCodebook(nn.Module):
    """table: (K, T * D), time major then channel."""

    def __init__(self, config: CodebookConfig, steps: int) -> None:
        super().__init__()
        self.config, self.steps = config, steps
        self.seed, self.run_length = 0, 0
        width = steps * config.width
        table = torch.empty(config.size, width).uniform_(-1 / config.size, 1 / config.size)
        if config.learning == "gradient":
            self.table = nn.Parameter(table)
            return
        self.register_buffer("table", table)
        self.register_buffer("counts", torch.zeros(config.size))
        self.register_buffer("sums", torch.zeros(config.size, width))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def form(self, height: int, width: int) -> CodeForm:
        """What the codes of an item are on a map of height x width sites."""
        return CodeForm(0, 0, self.config.size, height, width)

    def set_run_length(self, steps: int, seed: int) -> None:
        """Tell how long training is (revival stops at a share of it) and seed the random choices."""
        self.run_length, self.seed = steps, seed

    @property
    def learns_from_batches(self) -> bool:
        """Whether the table moves by `learn`, not by its gradient."""
        return self.config.learning == "ema"

    def learn(self, z: Tensor) -> Tensor:
        """Move the table by the latents (T, N, D, h, w) of a batch; returns their codes (N, h, w)."""
        vectors = self._rows(z).detach()
        codes = self._learn(vectors, nearest_rows(vectors, self.table.detach()))
        return codes.view(z.shape[1], *z.shape[3:])

    def forward(self, z: Tensor, codes: Tensor | None = None) -> Quantised:
        """z: (T, N, D, h, w) latents. In training with learning=ema the table moves, and values are its new rows.

        codes: (N, h, w) where z is a part of a batch that the codebook has learnt from already: its share of those.
        """
        vectors = self._rows(z)
        shape = (z.shape[1], *z.shape[3:])
        if codes is None and self.training and self.learns_from_batches:
            codes = self.learn(z)
        codes = nearest_rows(vectors.detach(), self.table.detach()) if codes is None else codes.flatten()
        if self.training and self.learns_from_batches and int(self.step) <= self.config.start:  # it has moved on
            return Quantised(z, codes.view(shape), z.new_zeros(()))
        rows = nn.functional.embedding(codes, self.table)
        loss = self.config.commitment * (rows.detach() - vectors).square().mean()
        if self.config.learning == "gradient":
            loss = loss + self.config.pull * (rows - vectors.detach()).square().mean()
        values = self._unrows(rows, shape)
        return Quantised(z + (values - z).detach(), codes.view(shape), loss)

    def assign(self, z: Tensor) -> Tensor:
        """Codes (N, h, w) of latents (T, N, D, h, w)."""
        return nearest_rows(self._rows(z).detach(), self.table.detach()).view(z.shape[1], *z.shape[3:])

    def lookup(self, codes: Tensor) -> Tensor:
        """Trajectories (T, N, D, h, w) of codes (N, h, w); raises IndexError for codes outside the table."""
        return self._unrows(nn.functional.embedding(codes.flatten(), self.table), tuple(codes.shape))

    def extra_repr(self) -> str:
        return f"{self.config.size} rows of {self.steps} x {self.config.width}, {self.config.learning}"

    def _rows(self, z: Tensor) -> Tensor:
        return z.permute(1, 3, 4, 0, 2).reshape(-1, self.table.shape[1])  # (N h w, T D)

    def _unrows(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        return rows.view(*shape, self.steps, self.config.width).permute(3, 0, 4, 1, 2)

    @torch.no_grad()
    def _learn(self, vectors: Tensor, codes: Tensor) -> Tensor:
        """One step of running means; returns the codes: of the table before, or of the one just started from data."""
        config, step = self.config, int(self.step)
        self.step += 1
        if step + 1 < config.start:
            return codes
        generator = step_generator(self.seed, step)
        if step + 1 == config.start or (step == 0 and config.start == 0):
            self._start(vectors, generator)
            return nearest_rows(vectors, self.table)
        counts, sums = map(summed, totals(vectors, codes, config.size))
        self.counts.lerp_(counts, 1 - config.decay)
        self.sums.lerp_(sums, 1 - config.decay)
        if config.revive_every and step % config.revive_every == 0 and step < config.revive_until * self.run_length:
            self._revive(vectors, generator)
        self.table.copy_(smooth_mean(self.counts, self.sums))
        return codes

    def _start(self, vectors: Tensor, generator: torch.Generator) -> None:
        everyone = count_of_rows(vectors)
        pick = torch.randperm(everyone, generator=generator)[:START_VECTORS]
        centres, counts = kmeans(chosen_rows(vectors, pick), self.config.size, generator)
        self.counts.copy_(counts.clamp_min(1) * (everyone / len(pick)))
        self.sums.copy_(centres * self.counts[:, None])
        self.table.copy_(centres)

    def _revive(self, vectors: Tensor, generator: torch.Generator) -> None:
        rare = self.counts < self.config.revive_below * self.counts.mean()
        pick = torch.randint(count_of_rows(vectors), (self.config.size,), generator=generator)
        fresh = self.counts.mean()
        self.counts[rare] = fresh
        self.sums[rare] = chosen_rows(vectors, pick)[rare] * fresh
