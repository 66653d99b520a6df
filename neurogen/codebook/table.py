"""What codebooks with a table share: how vectors find their rows, and how the table learns.

    k(v)  = argmin_k || v - e_k ||^2        v: what the kind of codebook makes one vector of, e_k: rows of the table
    loss  = commitment mean ||sg(e) - z||^2 + pull mean ||e - sg(z)||^2,   straight-through z + sg(e - z)

`learning=gradient` follows the release of arXiv 2405.14474, where the commitment weighs 1 and the pull 0.25; `ema`
replaces the pull by running means (`learning.py`), which start by k-means over the latents of the last few steps
before quantisation begins. The decoder sees rows as they were when the batch chose them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neurogen.codebook.distances import nearest_rows
from neurogen.codebook.form import CodeForm, Quantised
from neurogen.codebook.learning import kmeans, smooth_mean, step_generator, totals
from neurogen.config import CodebookConfig
from neurogen.processes import chosen_rows, count_of_rows, summed

START_VECTORS = 1 << 15  # latents that k-means starts from, at most
START_STEPS = 12  # last steps before quantisation whose latents these are


class TableCodebook(nn.Module):
    """table: (K, row) float. Kinds say what a vector is: `vectors`, `values` and `form`."""

    blocks = 1  # of vectors, each with all items of a batch

    def __init__(self, config: CodebookConfig, steps: int, row: int) -> None:
        super().__init__()
        self.config, self.steps = config, steps
        self.seed, self.run_length = 0, 0
        table = torch.empty(config.size, row).uniform_(-1 / config.size, 1 / config.size)
        if config.learning == "gradient":
            self.table = nn.Parameter(table)
            return
        self.register_buffer("table", table)
        self.register_buffer("counts", torch.zeros(config.size))
        self.register_buffer("sums", torch.zeros(config.size, row))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("seen", torch.empty(0, row))
        self._steps_done: int | None = None  # `step` on the host: asking a GPU for it would wait for all it has to do
        self._chosen_from: Tensor | None = None

    def vectors(self, z: Tensor) -> Tensor:
        """Latents (T, N, D, h, w) as (M, row), one vector a code."""
        raise NotImplementedError

    def values(self, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Rows (M, row) of codes of that shape as (T, N, D, h, w)."""
        raise NotImplementedError

    def shape(self, z: Tensor) -> tuple[int, ...]:
        """Shape of the codes of latents (T, N, D, h, w)."""
        raise NotImplementedError

    def form(self, height: int, width: int) -> CodeForm:
        """What the codes of an item are on a map of height x width sites."""
        raise NotImplementedError

    def set_run_length(self, steps: int, seed: int) -> None:
        """Tell how long training is (revival stops at a share of it) and seed the random choices."""
        self.run_length, self.seed = steps, seed

    @property
    def learns_from_batches(self) -> bool:
        """Whether the table moves by `learn`, not by its gradient."""
        return self.config.learning == "ema"

    @property
    def warming(self) -> bool:
        """Whether the batch that was learnt from last passes unquantised."""
        return self._done() <= self.config.start

    def learn(self, z: Tensor) -> Tensor:
        """Move the table by the latents (T, N, D, h, w) of a batch; returns their codes."""
        vectors = self.vectors(z).detach()
        return self._learn(vectors, nearest_rows(vectors, self.table.detach())).view(self.shape(z))

    def forward(self, z: Tensor, codes: Tensor | None = None) -> Quantised:
        """z: (T, N, D, h, w) latents. In training with learning=ema the table moves; values are the rows from before.

        codes: where z is a part of a batch that the codebook has learnt from already, its share of those.
        """
        learning = self.training and self.learns_from_batches
        if codes is None:
            codes = self.learn(z) if learning else self.assign(z)
        if learning and self.warming:
            return Quantised(z, codes, z.new_zeros(()))
        table = self._chosen_from if learning and self._chosen_from is not None else self.table
        values = self.values(nn.functional.embedding(codes.flatten(), table), self.shape(z))
        loss = self.config.commitment * (values.detach() - z).square().mean()
        if self.config.learning == "gradient":
            loss = loss + self.config.pull * (values - z.detach()).square().mean()
        return Quantised(z + (values - z).detach(), codes, loss)

    def assign(self, z: Tensor) -> Tensor:
        """Codes of latents (T, N, D, h, w)."""
        return nearest_rows(self.vectors(z).detach(), self.table.detach()).view(self.shape(z))

    def lookup(self, codes: Tensor) -> Tensor:
        """Values (T, N, D, h, w) of codes; raises IndexError for codes outside the table, except on a GPU."""
        return self.values(nn.functional.embedding(codes.flatten(), self.table), tuple(codes.shape))

    def extra_repr(self) -> str:
        return f"{len(self.table)} rows of {self.table.shape[1]}, {self.config.learning}"

    @torch.no_grad()
    def _learn(self, vectors: Tensor, codes: Tensor) -> Tensor:
        """One step of running means; returns the codes: of the table before, or of the one just started from data."""
        config, step = self.config, self._done()
        self.step += 1
        self._steps_done = step + 1
        generator = step_generator(self.seed, step)
        if step < max(config.start, 1):
            return self._before_start(vectors, codes, step, generator)
        self._chosen_from = self.table.clone()
        counts, sums = map(summed, totals(vectors, codes, config.size))
        self.counts.lerp_(counts, 1 - config.decay)
        self.sums.lerp_(sums, 1 - config.decay)
        if config.revive_every and step % config.revive_every == 0 and step < config.revive_until * self.run_length:
            self._revive(vectors, generator)
        self.table.copy_(smooth_mean(self.counts, self.sums))
        return codes

    def _before_start(self, vectors: Tensor, codes: Tensor, step: int, generator: torch.Generator) -> Tensor:
        """Gather latents; at the last step, start the table from them."""
        left = max(self.config.start, 1) - step
        if left > START_STEPS:
            return codes
        everyone = count_of_rows(vectors)
        share = START_VECTORS // min(max(self.config.start, 1), START_STEPS)
        pick = torch.randperm(everyone, generator=generator)[:share]
        self.seen = torch.cat((self.seen, chosen_rows(vectors, pick, self.blocks)))
        if left > 1:
            return codes
        centres, counts = kmeans(self.seen, self.config.size, generator)
        self.counts.copy_(counts.clamp_min(1) * (everyone / len(self.seen)))
        self.sums.copy_(centres * self.counts[:, None])
        self.table.copy_(centres)
        self.seen = self.seen[:0].clone()
        self._chosen_from = None
        return nearest_rows(vectors, self.table)

    def _revive(self, vectors: Tensor, generator: torch.Generator) -> None:
        rare = self.counts < self.config.revive_below * self.counts.mean()
        pick = torch.randint(count_of_rows(vectors), (self.config.size,), generator=generator)
        fresh = self.counts.mean()
        self.counts.copy_(torch.where(rare, fresh, self.counts))
        self.sums.copy_(torch.where(rare[:, None], chosen_rows(vectors, pick, self.blocks) * fresh, self.sums))

    def _done(self) -> int:
        if self._steps_done is None:
            self._steps_done = int(self.step)
        return self._steps_done

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """What was gathered is kept only while it waits for the start: a trained model does not have it."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.learns_from_batches and not len(self.seen):
            del destination[f"{prefix}seen"]

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        if self.learns_from_batches:
            self.seen = state_dict.get(f"{prefix}seen", self.seen[:0]).to(self.seen).clone()
            state_dict = {f"{prefix}seen": self.seen, **state_dict}
            self._steps_done, self._chosen_from = None, None
        super()._load_from_state_dict(state_dict, prefix, *rest)
