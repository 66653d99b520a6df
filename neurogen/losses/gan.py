"""What a discriminator and a generator learn from; D(x) is the score of an item.

                 discriminator                                          generator
    wasserstein  mean D(real) - mean D(fake)                            mean D(fake)
    bce          (sum softplus(-D(real)) + sum softplus(D(fake))) / 2   sum softplus(-D(fake))
    hinge        (mean relu(1 - D(real)) + mean relu(1 + D(fake))) / 2  -mean D(fake)

wasserstein and bce are those of the release of arXiv 2305.10246: real items score LOW under wasserstein (the usual sign
reversed, which changes nothing), and nothing bounds the scores: no clamped weights, no gradient penalty. bce is binary
cross-entropy of sigmoid(D), summed over the batch. hinge (Lim and Ye 2017), with spectral norm or R1
(`adversarial.squared_slope`), is the one that trains stably. Scores: (N,) float.

A discriminator that judges each item by itself does not see that all items of a label are the same; `spread_loss` does
(ours; in the spirit of mode seeking, Mao et al. 2019, whose term has no bound and no measure of how far is enough).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from neurogen.processes import count_of_rows

Kind = Literal["wasserstein", "bce", "hinge"]


def real_loss(kind: Kind, real: Tensor) -> Tensor:
    """The part of a discriminator's loss that its scores of real items make."""
    if kind == "wasserstein":
        return real.mean()
    return 0.5 * (F.relu(1 - real).mean() if kind == "hinge" else _summed(F.softplus(-real)))


def fake_loss(kind: Kind, fake: Tensor) -> Tensor:
    """The part that its scores of generated items make."""
    if kind == "wasserstein":
        return -fake.mean()
    return 0.5 * (F.relu(1 + fake).mean() if kind == "hinge" else _summed(F.softplus(fake)))


def generator_loss(kind: Kind, fake: Tensor) -> Tensor:
    """A scalar, from scores of generated items."""
    if kind == "wasserstein":
        return fake.mean()
    return -fake.mean() if kind == "hinge" else _summed(F.softplus(-fake))


def spread_loss(fake: Tensor, real: Tensor, labels: Tensor | None) -> Tensor:
    """What the mean distance between generated items of one label lacks of that between real ones, as a share of it.

    fake, real: (N, C, H, W), or frames (T, N, C, H, W) that are averaged over T; labels: (N,) of both, None where all
    are alike. A scalar from 0, as far apart, to 1, all the same; 0 too where no label stands twice in the batch.
    """
    one = torch.zeros(fake.shape[-4], dtype=torch.int64, device=fake.device) if labels is None else labels
    first, second = torch.triu_indices(len(one), len(one), 1, device=fake.device)
    alike = one[first] == one[second]
    pairs = first[alike], second[alike]
    if not alike.any():
        return fake.new_zeros(())
    return F.relu(1 - _distance(fake, *pairs) / _distance(real, *pairs).clamp_min(1e-12))


def _distance(items: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Mean distance of these pairs, in float32 at least."""
    rows = (items.mean(0) if items.dim() == 5 else items).flatten(1)
    rows = rows if rows.dtype == torch.float64 else rows.float()
    return torch.linalg.vector_norm(rows[first] - rows[second], dim=1).mean()


def _summed(losses: Tensor) -> Tensor:
    """The sum over the whole batch, of which the mean over processes is taken: each weighs its own share so much."""
    return losses.mean() * count_of_rows(losses)
