"""From one item to another through the latents of a model.

    vectors: (1 - a) z_0 + a z_1        spikes: z_1 where u < a, else z_0, of one uniform number u for every spike

so that a path of spikes turns one after another of those that differ, and each point on it is spikes again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurogen.latent_model import LatentModel
from neurogen.pictures import pictures_of
from neurogen.plots.style import bare, figure

POINTS = 9


def interpolation_figure(model: LatentModel, items: Tensor, labels: Tensor, points: int = POINTS, seed: int = 0) -> Any:
    """A row for each of N - 1 neighbours among items (N, ...) of labels (N,): both ends, and between them the path.

    The outer columns are the items themselves, the next ones their reconstructions. None for a model without encoder.
    """
    if not model.encodes:
        return None
    latents = model.encode(items, seed=seed)
    shares = torch.linspace(0, 1, points)
    made, axes = figure(points + 2, len(items) - 1, width=0.95, height=1.0)
    for row in range(len(items) - 1):
        ends = (latents.select(model.item_axis, n) for n in (row, row + 1))
        along = path(*ends, shares, model.item_axis, seed)
        known = torch.where(shares < 0.5, labels[row], labels[row + 1]) if model.conditional else None
        values = torch.cat([items[row : row + 1], model.decode(along, labels=known), items[row + 1 : row + 2]])
        pictures = pictures_of(values.numpy(), model.makes_recordings)
        for n, picture in enumerate(pictures):
            axis = axes[row * (points + 2) + n]
            axis.imshow(picture, cmap="gray" if picture.ndim == 2 else None, vmin=0, vmax=255, interpolation="nearest")
            bare(axis)
    names = ["item", *(f"{share:.2f}".rstrip("0").rstrip(".") for share in shares.tolist()), "item"]
    for axis, name in zip(axes, names, strict=False):
        axis.set_title(name, fontsize=8)
    return made


def path(start: Tensor, end: Tensor, shares: Tensor, item_axis: int, seed: int = 0) -> Tensor:
    """Latents at each of P shares in [0, 1] of the way from start to end, stacked along `item_axis`.

    start, end: of one item, spikes (T, C) with item_axis 1 or vectors (L,) with item_axis 0.
    """
    if item_axis == 0:
        return torch.stack([torch.lerp(start, end, float(share)) for share in shares])
    turn = torch.rand(start.shape, generator=torch.Generator().manual_seed(seed))  # in [0, 1)
    return torch.stack([torch.where(turn < share, end, start) for share in shares], item_axis)
