"""The bits of one token drawn one after another: each knows those before it, beside what the tokens before tell.

    logit_b = base_b + w_b . relu(U x + sum_{b' < b} s_{b'} r_{b'})        s = 2 bit - 1

One hidden layer that the bits are added to in turn (NADE, Larochelle & Murray 2011); it costs nothing beside the
transformer that made x. Shapes: x (..., dim), m bits, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HIDDEN = 64


class BitsInTurn(nn.Module):
    """rows: (m - 1, H), what each bit but the last adds; leave: (m, H)."""

    def __init__(self, dim: int, bits: int) -> None:
        super().__init__()
        self.enter = nn.Linear(dim, HIDDEN)
        self.rows = nn.Parameter(torch.empty(bits - 1, HIDDEN).normal_(0.0, 0.3 * bits**-0.5))
        self.leave = nn.Parameter(torch.empty(bits, HIDDEN).normal_(0.0, 0.02))

    def forward(self, x: Tensor, bits: Tensor) -> Tensor:
        """What the bits (..., m) before each one add to its logit: (..., m)."""
        added = (2 * bits[..., :-1, None].to(x) - 1) * self.rows
        hidden = self.enter(x)[..., None, :] + F.pad(added.cumsum(-2), (0, 0, 1, 0))
        return (F.relu(hidden) * self.leave).sum(-1)

    def drawn(
        self, base: Tensor, x: Tensor, uniforms: Tensor, draw: Callable[[Tensor, Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, m) and bits (N, m) of N tokens, by uniforms (N, m); draw gives (N,) bits of logits."""
        hidden, logits, bits = self.enter(x), [], []
        for b, leave in enumerate(self.leave):
            logits.append((base[:, b] + (F.relu(hidden) * leave).sum(-1)).to(uniforms.device))
            bits.append(draw(logits[-1], uniforms[:, b]))
            if b < len(self.rows):
                hidden = hidden + (2 * bits[-1].to(hidden) - 1)[:, None] * self.rows[b]
        return torch.stack(logits, -1), torch.stack(bits, -1)
