"""How alike two representations of the same stimuli are: representational similarity, and linear CKA.

    RDM   d_ij = 1 - r(x_i, x_j)                   r: Pearson's, over features (Kriegeskorte et al. 2008)
    RSA   rank correlation of two RDMs' upper triangles: Spearman's rho, or Kendall's tau-b
    CKA   HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),   K = X X^T, L = Y Y^T        (Kornblith et al. 2019)

HSIC is that of centred K and L, tr K L; debiased, it is the unbiased estimate of Song et al. (2012, eq. 5), which few
stimuli do not raise: for unrelated representations of more features than stimuli the plain figure is near 1.
All are 1 for equal representations; RSA ignores scales and shifts of all features together, CKA scale and rotation.
Shapes: M stimuli, F features (neurons); arithmetic is in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurogen.metrics.errors import MetricError

LEAST = 4  # stimuli: below, an unbiased HSIC is not defined
Array = NDArray[np.float64]
Rank = Literal["spearman", "kendall"]


@dataclass(frozen=True)
class Ceiling:
    """How well a perfect model can do, given how repeats differ (Nili et al. 2014)."""

    lower: float
    upper: float


def dissimilarities(features: ArrayLike) -> Array:
    """RDM (M, M), symmetric with a diagonal of 0, of features (M, F).

    Raises MetricError for a stimulus to which all features are the same: no correlation is defined there.
    """
    x = _features(features)
    x = x - x.mean(1, keepdims=True)
    norms = np.linalg.norm(x, axis=1)
    if not norms.all():
        raise MetricError(
            f"expected features that differ at each stimulus, all are the same at stimulus {int(norms.argmin())}; "
            "leave it out"
        )
    x /= norms[:, None]
    distances = 1 - np.clip(x @ x.T, -1, 1)
    np.fill_diagonal(distances, 0.0)
    return (distances + distances.T) / 2


def representational_similarity(a: ArrayLike, b: ArrayLike, method: Rank = "spearman") -> float:
    """RSA of features (M, F) and (M, G): in [-1, 1].

    Raises MetricError for another number of stimuli, or RDMs that have no order.
    """
    a, b = _paired(a, b)
    return _agreement(_triangle(dissimilarities(a)), _triangle(dissimilarities(b)), method)


def noise_ceiling(repeats: ArrayLike, method: Rank = "spearman") -> Ceiling:
    """Of features (R, M, F) that were measured R times.

    Each repeat's RDM against the mean RDM of all (upper), and of the others (lower), averaged over repeats; RDMs are
    ranked before they are averaged. Raises MetricError for fewer than two repeats.
    """
    from scipy.stats import rankdata

    repeats = np.asarray(repeats, np.float64)
    if repeats.ndim != 3 or len(repeats) < 2:
        raise MetricError(f"expected responses (R, M, F) with two repeats or more, got {repeats.shape}; measure again")
    triangles = np.stack([rankdata(_triangle(dissimilarities(each))) for each in repeats])
    everything, count = triangles.sum(0), len(triangles)
    lower = [_agreement(each, (everything - each) / (count - 1), method) for each in triangles]
    upper = [_agreement(each, everything / count, method) for each in triangles]
    return Ceiling(float(np.mean(lower)), float(np.mean(upper)))


def linear_cka(a: ArrayLike, b: ArrayLike, debiased: bool = False) -> float:
    """CKA of features (M, F) and (M, G): in [0, 1], debiased about 0 for unrelated ones.

    Raises MetricError for another number of stimuli, or features that are the same at all stimuli.
    """
    a, b = _paired(a, b)
    hsic = _unbiased_hsic if debiased else _hsic
    p, q = (centred @ centred.T for centred in (x - x.mean(0) for x in (a, b)))
    own = hsic(p, p) * hsic(q, q)
    if own <= 0:
        raise MetricError("expected features that differ among stimuli, one set is the same at all; leave it out")
    return float(hsic(p, q) / np.sqrt(own))


def _hsic(p: Array, q: Array) -> float:
    """tr P Q of centred Gram matrices; its factor 1 / (M - 1)^2 cancels in CKA."""
    return float((p * q).sum())


def _unbiased_hsic(p: Array, q: Array) -> float:
    m = len(p)
    p, q = (gram - np.diag(np.diag(gram)) for gram in (p, q))
    means = p.sum() * q.sum() / ((m - 1) * (m - 2)) - 2 * (p.sum(0) @ q.sum(0)) / (m - 2)
    return float(((p * q).sum() + means) / (m * (m - 3)))


def _agreement(a: Array, b: Array, method: Rank) -> float:
    """Rank correlation, ties sharing their mean rank; raises MetricError where all ranks of one are tied."""
    from scipy.stats import kendalltau, spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise MetricError(
            "expected stimuli that differ more and less from each other, all do alike; take other stimuli"
        )
    result: Any = spearmanr(a, b) if method == "spearman" else kendalltau(a, b)
    return float(result.statistic)


def _triangle(matrix: Array) -> Array:
    return matrix[np.triu_indices(len(matrix), 1)]


def _paired(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    x, y = _features(a), _features(b)
    if len(x) != len(y):
        raise MetricError(f"expected features of the same stimuli, got {len(x)} and {len(y)}; give those of equal ones")
    return x, y


def _features(features: ArrayLike) -> Array:
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or len(x) < LEAST or x.shape[1] < 1:
        raise MetricError(f"expected features (M, F) of {LEAST} stimuli or more, got {x.shape}; add some")
    if not np.isfinite(x).all():
        raise MetricError("expected finite features, got NaN or infinity; leave these stimuli or neurons out")
    return x
