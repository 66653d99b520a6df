"""What a discriminator and a generator learn from; D(x) is the score of an item.

                 discriminator                                          generator
    wasserstein  mean D(real) - mean D(fake)                            mean D(fake)
    bce          (sum softplus(-D(real)) + sum softplus(D(fake))) / 2   sum softplus(-D(fake))
    hinge        (mean relu(1 - D(real)) + mean relu(1 + D(fake))) / 2  -mean D(fake)

wasserstein and bce are those of the release of arXiv 2305.10246: real items score LOW under wasserstein (the usual sign
reversed, which changes nothing), and nothing bounds the scores: no clamped weights, no gradient penalty. bce is binary
cross-entropy of sigmoid(D), summed over the batch. hinge (Lim and Ye 2017), with spectral norm or R1
(`adversarial.squared_slope`), is the one that trains stably. Scores: (N,) float.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from neurogen.losses.adversarial import hinge_loss
from neurogen.processes import count_of_rows

Kind = Literal["wasserstein", "bce", "hinge"]


def discriminator_loss(kind: Kind, real: Tensor, fake: Tensor) -> Tensor:
    """A scalar, from scores of real items and of generated ones that carry no gradient to their generator."""
    if kind == "wasserstein":
        return real.mean() - fake.mean()
    if kind == "hinge":
        return hinge_loss(real, fake)
    return 0.5 * (_summed(F.softplus(-real)) + _summed(F.softplus(fake)))


def generator_loss(kind: Kind, fake: Tensor) -> Tensor:
    """A scalar, from scores of generated items."""
    if kind == "wasserstein":
        return fake.mean()
    return -fake.mean() if kind == "hinge" else _summed(F.softplus(-fake))


def _summed(losses: Tensor) -> Tensor:
    """The sum over the whole batch, of which the mean over processes is taken: each weighs its own share so much."""
    return losses.mean() * count_of_rows(losses)
