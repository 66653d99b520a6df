"""What a prior reads at each position: the tokens before it, the place, the label.

A token of m bits enters as the sum of one row per bit and value. Shapes: N batch, L positions, m bits; tokens (N, L) of
indices or (N, L, m) of bits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurogen.blocks.tokens import AROUND, TokenOrder
from neurogen.config import PriorModelConfig


class BitTable(nn.Module):
    """Bits (..., m), whole numbers 0 and 1, or all -1 -> (..., dim). weight: rows of bits 0, of bits 1, outside."""

    def __init__(self, bits: int, dim: int, outside: bool) -> None:
        super().__init__()
        self.bits = bits
        self.weight = nn.Parameter(torch.zeros(2 * bits + outside, dim))

    def forward(self, bits: Tensor) -> Tensor:
        parts = (bits == 0, bits == 1, *([bits[..., :1] < 0] if len(self.weight) > 2 * self.bits else []))
        return torch.cat(parts, -1).to(self.weight.dtype) @ self.weight


class Embedding(nn.Module):
    """Tokens before each position, the position and the label: (N, dim) per position.

    Without `neighbours` position i reads token i - 1, position 0 the start token; with it, those that
    `TokenOrder.delays` lists, each from a table of its own whose last row stands for "outside".
    """

    def __init__(self, config: PriorModelConfig, order: TokenOrder) -> None:
        super().__init__()
        self.neighbours, self.label_everywhere = config.neighbours, config.label_everywhere
        self.order, self.outside = order, -1 if config.bits else config.codes
        room = config.block_size or order.sites
        if room < order.sites:
            raise ValueError(
                f"expected model.block_size of {order.sites} or more for {order.sites} codes, got {room}; 0 takes "
                f"{order.sites}"
            )
        delays = order.delays if config.neighbours else []
        self.tables = nn.ModuleList(_table(config) for _ in (delays or [AROUND[0]]))
        self.start = None if config.neighbours else nn.Parameter(torch.zeros(config.dim))
        self.labels = nn.Embedding(config.classes, config.dim) if config.classes else None
        self.positions = nn.Parameter(torch.zeros(room, config.dim))
        self.steps = nn.Parameter(torch.zeros(order.steps, config.dim)) if order.steps > 1 else None
        self.sources = [order.sources(delay) for delay in delays]
        self.register_buffer("source_index", torch.tensor(self.sources, dtype=torch.int64), persistent=False)

    def forward(self, tokens: Tensor, labels: Tensor | None) -> Tensor:
        """All positions: tokens (N, L[, m]) -> (N, L, dim)."""
        n, length = tokens.shape[:2]
        x = self._places()[:length].expand(n, -1, -1)
        if self.neighbours:
            padded = torch.cat((tokens, tokens.new_full((n, 1, *tokens.shape[2:]), self.outside)), 1)
            for table, sources in zip(self.tables, self.source_index, strict=True):
                x = x + table(padded[:, sources[:length]])
        else:
            assert self.start is not None
            x = x + torch.cat((self.start.expand(n, 1, -1), self.tables[0](tokens[:, :-1])), 1)
        if self.labels is not None:
            label = self.labels(labels)[:, None]
            x = x + label if self.label_everywhere else torch.cat((x[:, :1] + label, x[:, 1:]), 1)
        return x

    def at(self, tokens: Tensor, position: int, labels: Tensor | None) -> Tensor:
        """One position from the tokens before it: tokens (N, >= position[, m]) -> (N, dim)."""
        x = self._place(position).expand(len(tokens), -1)
        if self.neighbours:
            for table, sources in zip(self.tables, self.sources, strict=True):
                source = sources[position]
                x = x + (table(tokens[:, source]) if source >= 0 else table.weight[-1])
        else:
            x = x + (self.tables[0](tokens[:, position - 1]) if position else self.start)
        if self.labels is not None and (position == 0 or self.label_everywhere):
            x = x + self.labels(labels)
        return x

    def at_fixed(self, tokens: Tensor, position: Tensor, labels: Tensor | None) -> Tensor:
        """`at` a position (1,) that is a number on the device; tokens (N, L + 1[, m]), the last one `outside`."""
        x = self._places().index_select(0, position).expand(len(tokens), -1)
        if self.neighbours:
            for table, sources in zip(self.tables, self.source_index, strict=True):
                source = sources.index_select(0, position) % tokens.shape[1]
                x = x + table(tokens.index_select(1, source).squeeze(1))
        else:
            before = tokens.index_select(1, (position - 1).clamp_min(0)).squeeze(1)
            x = x + torch.where(position > 0, self.tables[0](before), self.start)
        if self.labels is not None:
            label = self.labels(labels)
            x = x + (label if self.label_everywhere else torch.where(position > 0, 0.0, label))
        return x

    def _places(self) -> Tensor:
        """(L, dim): where and, in joint order, when."""
        if self.steps is None:
            return self.positions
        return (self.positions[: self.order.sites, None] + self.steps).flatten(0, 1)

    def _place(self, position: int) -> Tensor:
        if self.steps is None:
            return self.positions[position]
        site, step = divmod(position, self.order.steps)
        return self.positions[site] + self.steps[step]


def _table(config: PriorModelConfig) -> nn.Module:
    if config.bits:
        return BitTable(config.bits, config.dim, outside=config.neighbours)
    return nn.Embedding(config.codes + 1 if config.neighbours else config.codes, config.dim)
