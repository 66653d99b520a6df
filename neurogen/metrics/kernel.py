"""The polynomial-kernel distance of two sets of features: the unbiased squared maximum mean discrepancy.

    k(x, y) = (x.y / D + 1)^3        mean over i != j of k(a_i, a_j) + the same of b - 2 mean of k(a_i, b_j)

(Gretton et al. 2012, lemma 6; Binkowski et al. 2018 with these constants, as the kernel inception distance.) Exact and
over all pairs: with z = (x / sqrt(D), 1) the kernel is the cube of z.w, so that a sum over pairs is the product of two
sums of z (x) z (x) z. Unbiased, so that it may be a little below 0 for equal distributions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SLAB = 1024  # features whose products are held at once
WIDEST = 256  # of features: D^3 sums are held


def kernel_distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Of features (M, D) and (N, D), D up to 256; raises ValueError for fewer than two and for other widths."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2 or a.shape[1] > WIDEST:
        raise ValueError(
            f"expected two feature vectors or more a set, of one width up to {WIDEST}, got {a.shape} and {b.shape}"
        )
    (sums_a, own_a), (sums_b, own_b) = _cubes(a), _cubes(b)
    within_a = ((sums_a * sums_a).sum() - own_a) / (len(a) * (len(a) - 1))
    within_b = ((sums_b * sums_b).sum() - own_b) / (len(b) * (len(b) - 1))
    return float(within_a + within_b - 2 * (sums_a * sums_b).sum() / (len(a) * len(b)))


def _cubes(features: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """Sum of z (x) z (x) z, ((D + 1)^2, D + 1), and the sum of every k(x, x)."""
    width = features.shape[1]
    z = np.concatenate([features.astype(np.float64) / np.sqrt(width), np.ones((len(features), 1))], axis=1)
    sums = np.zeros(((width + 1) ** 2, width + 1))
    for start in range(0, len(z), SLAB):
        part = z[start : start + SLAB]
        sums += (part[:, :, None] * part[:, None]).reshape(len(part), -1).T @ part
    return sums, float((np.square(z).sum(1) ** 3).sum())
