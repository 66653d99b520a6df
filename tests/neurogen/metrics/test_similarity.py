"""Representational similarity and linear CKA, against values by hand and the formulas written out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import kendalltau, rankdata, spearmanr

from neurogen.metrics.errors import MetricError
from neurogen.metrics.similarity import dissimilarities, linear_cka, noise_ceiling, representational_similarity

M = 8


def features(width: int = 5, seed: int = 0, m: int = M) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(m, width))


def rotation(width: int) -> NDArray[np.float64]:
    return np.linalg.qr(features(width, 9, width))[0]


def test_dissimilarity_is_one_minus_pearsons_correlation() -> None:
    x = features()
    np.testing.assert_allclose(dissimilarities(x), squareform(pdist(x, "correlation")), atol=1e-12)
    by_hand = dissimilarities([[1, 2, 3], [2, 4, 6], [3, 2, 1], [0, 1, 0]])
    np.testing.assert_allclose(by_hand[0], [0, 0, 2, 1], atol=1e-12)


@pytest.mark.parametrize("method", ["spearman", "kendall"])
def test_representational_similarity_is_the_rank_correlation_of_triangles(method: str) -> None:
    a, b = features(), features(7, 1)
    x, y = pdist(a, "correlation"), pdist(b, "correlation")
    expected = spearmanr(x, y).statistic if method == "spearman" else kendalltau(x, y).statistic
    assert representational_similarity(a, b, method) == pytest.approx(expected)  # type: ignore[arg-type]
    assert representational_similarity(a, 3 * a + 2, method) == pytest.approx(1)  # type: ignore[arg-type]


def test_representational_similarity_by_hand() -> None:
    # Angles of stimuli in a plane of zero-mean patterns: 1 - cos of differences orders the six pairs.
    u, v = np.array([1, -1, 0]) / 2**0.5, np.array([1, 1, -2]) / 6**0.5

    def placed(*degrees: float) -> NDArray[np.float64]:
        return np.stack([np.cos(np.radians(d)) * u + np.sin(np.radians(d)) * v for d in degrees])

    # differences 10, 30, 70, 20, 60, 40: ranks 1, 3, 6, 2, 5, 4; and 10, 40, 60, 30, 50, 20: ranks 1, 4, 6, 3, 5, 2
    a, b = placed(0, 10, 30, 70), placed(0, 10, 40, 60)
    squares = (3 - 4) ** 2 + (2 - 3) ** 2 + (4 - 2) ** 2
    assert representational_similarity(a, b) == pytest.approx(1 - 6 * squares / (6 * 35))
    # of 15 pairs of ranks, those of (3, 4), (4, 2) and (2, 3), (4, 2) are in the other order
    assert representational_similarity(a, b, "kendall") == pytest.approx((15 - 2 * 2) / 15)


def test_the_ceiling_of_equal_repeats_is_one() -> None:
    ceiling = noise_ceiling(np.stack([features()] * 3))
    assert (ceiling.lower, ceiling.upper) == (pytest.approx(1), pytest.approx(1))


def test_the_ceiling_is_each_repeat_against_the_mean_of_ranks() -> None:
    repeats = features() + 0.5 * np.random.default_rng(3).normal(size=(3, M, 5))
    ranks = [rankdata(pdist(each, "correlation")) for each in repeats]
    upper = np.mean([spearmanr(each, np.mean(ranks, 0)).statistic for each in ranks])
    others = [np.mean([ranks[j] for j in range(3) if j != i], 0) for i in range(3)]
    lower = np.mean([spearmanr(*pair).statistic for pair in zip(ranks, others, strict=True)])
    ceiling = noise_ceiling(repeats)
    assert (ceiling.lower, ceiling.upper) == (pytest.approx(lower), pytest.approx(upper))
    assert ceiling.lower < ceiling.upper < 1


def test_cka_is_that_of_centred_features() -> None:
    a, b = features(), features(7, 1)
    x, y = a - a.mean(0), b - b.mean(0)
    expected = np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert linear_cka(a, b) == pytest.approx(expected)


def test_unbiased_cka_is_song_and_others_estimate() -> None:
    a, b = features(), features(7, 1)

    def hsic(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
        """The U-statistic as a mean over four different stimuli: k_ij (l_ij + l_qr - 2 l_iq)."""
        terms = [
            p[i, j] * (q[i, j] + q[k, n] - 2 * q[i, k])
            for i in range(M)
            for j in range(M)
            for k in range(M)
            for n in range(M)
            if len({i, j, k, n}) == 4
        ]
        return float(np.mean(terms))

    p, q = a @ a.T, b @ b.T
    expected = hsic(p, q) / (hsic(p, p) * hsic(q, q)) ** 0.5
    assert linear_cka(a, b, debiased=True) == pytest.approx(expected)


@pytest.mark.parametrize("debiased", [False, True])
def test_cka_ignores_rotation_scale_and_shift(debiased: bool) -> None:
    a = features()
    assert linear_cka(a, 3 * a @ rotation(5) + 7, debiased) == pytest.approx(1)
    stretched = a * np.array([9, 1, 1, 1, 1])
    assert linear_cka(a, stretched, debiased) < 0.95


def test_few_stimuli_raise_the_plain_figure_of_unrelated_features_alone() -> None:
    pairs = [(features(500, seed), features(500, 100 + seed)) for seed in range(10)]
    assert np.mean([linear_cka(*pair) for pair in pairs]) > 0.9
    assert abs(np.mean([linear_cka(*pair, debiased=True) for pair in pairs])) < 0.05


@pytest.mark.parametrize(
    ("a", "b", "sentence"),
    [
        (features(m=3), features(m=3), r"expected features \(M, F\) of 4 stimuli or more, got \(3, 5\)"),
        (features(), features(m=9), "expected features of the same stimuli, got 8 and 9"),
        (features(), np.full((M, 5), np.nan), "expected finite features, got NaN or infinity"),
        (features(), np.ones((M, 5)), "all are the same at stimulus 0|one set is the same at all"),
    ],
)
def test_what_cannot_be_compared_is_refused(a: NDArray[np.float64], b: NDArray[np.float64], sentence: str) -> None:
    for figure in (representational_similarity, linear_cka):
        with pytest.raises(MetricError, match=sentence):
            figure(a, b)


def test_one_repeat_has_no_ceiling() -> None:
    with pytest.raises(MetricError, match="two repeats or more"):
        noise_ceiling(features()[None])


def test_stimuli_that_differ_all_alike_have_no_order() -> None:
    with pytest.raises(MetricError, match="all do alike"):
        representational_similarity(np.eye(M), features())
