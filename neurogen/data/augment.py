"""Random shifts and flips of a batch, from given draws alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from neurogen.draws import Draws, uniform, whole


def augmented(x: Tensor, shift: int, flip: bool, background: float, draws: Draws) -> Tensor:
    """x: (N, ..., H, W), each item moved by up to `shift` pixels (background moves in) and flipped by chance."""
    if shift:
        moves = whole(draws, -shift, shift + 1, len(x), 2)
        x = shifted(x, moves, background)
    if flip:
        chosen = uniform(draws, len(x)) < 0.5
        x = torch.where(chosen.view(-1, *[1] * (x.dim() - 1)), x.flip(-1), x)
    return x


def shifted(x: Tensor, moves: Tensor, background: float) -> Tensor:
    """Each item of x (N, ..., H, W) moved by moves (N, 2) rows and columns."""
    reach = int(moves.abs().max()) if len(moves) else 0
    if not reach:
        return x
    height, width = x.shape[-2:]
    padded = F.pad(x, (reach,) * 4, value=background)
    out = torch.empty_like(x)
    for i, (dy, dx) in enumerate(moves.tolist()):
        out[i] = padded[i, ..., reach - dy : reach - dy + height, reach - dx : reach - dx + width]
    return out
