"""The Frechet distance between two sets of features, each taken for a Gaussian.

    d^2 = |m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))        (Dowson and Landau 1982; Heusel et al. 2017)

The trace of the root is the sum of the square roots of the eigenvalues of S_1^(1/2) S_2 S_1^(1/2), which is symmetric,
so that no complex root appears. All in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Moments:
    """mean: (D,) and unbiased covariance: (D, D), float64; count: how many features they are of."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    count: int


def moments(features: NDArray[np.floating]) -> Moments:
    """Moments of features (M, D); raises ValueError for fewer than two."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"expected two feature vectors or more, got shape {features.shape}; give more images")
    values = features.astype(np.float64)
    return Moments(values.mean(0), np.cov(values, rowvar=False).reshape(values.shape[1], -1), len(values))


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared distance; 0 for equal moments. Raises ValueError for features of different width."""
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"expected features of one width, got {len(a.mean)} and {len(b.mean)}")
    root = _root(a.covariance)
    of_product = np.linalg.eigvalsh(root @ b.covariance @ root)
    cross = np.sqrt(np.clip(of_product, 0, None)).sum()
    apart = np.square(a.mean - b.mean).sum()
    return float(max(0.0, apart + np.trace(a.covariance) + np.trace(b.covariance) - 2 * cross))


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
