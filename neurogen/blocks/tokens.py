"""The order in which a prior predicts the codes of an item: one token after another.

    over    a sequence                                                    sequences of an item
    map     one code a site, raster order                                 1
    step    the codes of one time step, raster order                      T, each by itself (published for these)
    joint   all steps of a site in order, then those of the next site     1

A token is an index or, for codes of bits, m bits at once. In `joint` order a token knows the same step of the sites
before it and the earlier steps of its own site. Shapes: N items, T steps, L tokens of a sequence, m bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurogen.codebook.form import CodeForm
from neurogen.config import PriorModelConfig
from neurogen.draws import Draws, of_batch

# Tokens that a position reads beside its own place, as (rows up, columns left): left, above, above right, above left.
AROUND = ((0, 1), (1, 0), (1, -1), (1, 1))


@dataclass(frozen=True)
class TokenOrder:
    """over: map, step or joint; form: what the codes of an item are."""

    over: str
    form: CodeForm

    @classmethod
    def of(cls, config: PriorModelConfig) -> TokenOrder:
        """The order that a prior's settings describe."""
        form = CodeForm(config.code_steps, config.bits, config.codes, config.height, config.width)
        return cls(config.over, form)

    @property
    def sites(self) -> int:
        """h w."""
        return self.form.height * self.form.width

    @property
    def steps(self) -> int:
        """Steps that one sequence runs through; 1 unless joint."""
        return self.form.steps if self.over == "joint" else 1

    @property
    def length(self) -> int:
        """L, tokens of a sequence."""
        return self.sites * self.steps

    @property
    def sequences(self) -> int:
        """Sequences of an item that know nothing of each other."""
        return self.form.steps if self.over == "step" else 1

    @property
    def token_shape(self) -> tuple[int, ...]:
        """() for an index, (m,) for bits."""
        return (self.form.bits,) if self.form.bits else ()

    @property
    def uniforms(self) -> int:
        """Random numbers that one item takes."""
        return self.sequences * self.length * max(self.form.bits, 1)

    @property
    def delays(self) -> list[tuple[int, int, int]]:
        """What a position may read, as (rows up, columns left, steps back): around it, then its own site's past."""
        return [(*around, 0) for around in AROUND] + [(0, 0, back) for back in range(1, self.steps)]

    def tokens(self, items: Tensor) -> Tensor:
        """Items (N, *form.item_shape) as sequences (N sequences, L) of indices or (N sequences, L, m) of bits."""
        x = items.movedim(-3, -1) if self.form.bits else items  # (N, [T,] h, w [, m])
        if self.over == "step":
            x = x.flatten(0, 1)
        elif self.over == "joint":
            x = x.movedim(1, 3).flatten(2, 3)
        return x.flatten(1, 2)

    def items(self, tokens: Tensor) -> Tensor:
        """The inverse of `tokens`."""
        form = self.form
        x = tokens.unflatten(1, (form.height, form.width, *([form.steps] if self.over == "joint" else [])))
        if self.over == "step":
            x = x.unflatten(0, (-1, form.steps))
        elif self.over == "joint":
            x = x.movedim(3, 1)
        return x.movedim(-1, -3) if form.bits else x

    def training_tokens(self, items: Tensor, draws: Draws) -> Tensor:
        """What one batch of items teaches: all their sequences, or (over=step) those of one random step."""
        if self.over != "step":
            return self.tokens(items)
        step = of_batch(draws, self.form.steps)
        return self.tokens(items[:, step : step + 1])

    def sources(self, delay: tuple[int, int, int]) -> list[int]:
        """For each position the one that lies `delay` before it, or -1 (the last, padded one) for outside."""
        found = []
        for i in range(self.length):
            site, step = divmod(i, self.steps)
            row, column = site // self.form.width - delay[0], site % self.form.width - delay[1]
            inside = row >= 0 and 0 <= column < self.form.width and step >= delay[2]
            found.append((row * self.form.width + column) * self.steps + step - delay[2] if inside else -1)
        return found

    def offsets(self) -> tuple[tuple[int, ...], Tensor]:
        """Shape of a table over offsets in rows, columns and, where joint, steps; its flat index for each (i, j).

        Offsets that no earlier position has are folded onto others; the caller masks them.
        """
        height, width, steps = self.form.height, self.form.width, self.steps
        position = torch.arange(self.length)
        site, step = position // steps, position % steps
        row, column = site // width, site % width
        dy = (row[:, None] - row[None, :]).clamp_min(0)
        flat = dy * (2 * width - 1) + column[:, None] - column[None, :] + width - 1
        shape: tuple[int, ...] = (height, 2 * width - 1)
        if steps > 1:
            flat = flat * (2 * steps - 1) + step[:, None] - step[None, :] + steps - 1
            shape = (*shape, 2 * steps - 1)
        return shape, flat
