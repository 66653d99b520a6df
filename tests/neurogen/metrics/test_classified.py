"""Figures of a classifier, by hand on few items and against scipy and scikit-learn on random ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import entropy
from sklearn.metrics.pairwise import polynomial_kernel

from neurogen.metrics.classified import accuracy, balance, classified, distances, draws, score, shared
from neurogen.metrics.classifier import FORMS, Judge, Judged
from neurogen.metrics.errors import MetricError
from neurogen.metrics.fitting import new_classifier
from neurogen.metrics.neighbours import overlap

CLASSES = ("cat", "dog", "emu")


def recognised(*classes: int) -> Judged:
    """Items recognised as these of three classes."""
    return Judged(np.zeros((len(classes), 2), np.float32), np.eye(3, dtype=np.float32)[list(classes)] * 9)


def features(n: int, seed: int, shift: float = 0.0, width: int = 4) -> Judged:
    x = np.random.default_rng(seed).normal(shift, 1.0, (n, width)).astype(np.float32)
    return Judged(x, np.zeros((n, 3), np.float32))


def test_accuracy_by_hand_with_that_of_the_worst_class() -> None:
    made, asked = recognised(0, 1, 1, 2, 0), np.array([0, 1, 1, 1, 2])
    found = accuracy(CLASSES, made, asked, recognised(0, 1, 2, 2), np.array([0, 1, 2, 1]))
    assert found == {
        "accuracy": 0.6,
        "accuracy_of_real_test": 0.75,
        "accuracy_of_worst_class": 0.0,
        "worst_class": "emu",
    }


def test_balance_by_hand() -> None:
    """Recognised 1/2, 1/2, 0; training 1/2, 1/4, 1/4: |0| + |1/4| + |1/4| over 2; entropies 1 and 1.5 bits."""
    found = balance(recognised(0, 0, 1, 1), recognised(0, 0, 1, 2), np.array([0, 0, 1, 2]))
    assert found == {
        "balance_tv": 0.25,
        "balance_tv_floor": 0.0,  # all four training items, recognised as they are
        "balance_entropy_bits": 1.0,
        "balance_entropy_bits_of_training": 1.5,
    }


def test_the_floor_of_the_balance_is_that_of_as_many_training_items() -> None:
    labels = np.arange(1000) % 2
    found = balance(recognised(0, 1), recognised(*labels), labels)["balance_tv_floor"]
    assert found in {k / 20 for k in range(11)}  # of two items the variation is 0 or 1/2; ten draws
    assert 0 < found < 0.5


def test_the_score_is_one_where_all_look_alike_and_the_number_of_classes_where_each_is_sure() -> None:
    assert score(recognised(1, 1, 1)) == pytest.approx(1)
    sure = Judged(np.zeros((6, 2), np.float32), np.eye(3, dtype=np.float32)[[0, 1, 2] * 2] * 1000)
    assert score(sure) == pytest.approx(3)


def test_the_score_equals_scipys_divergences() -> None:
    judged = Judged(np.zeros((50, 2), np.float32), np.random.default_rng(0).normal(0, 3, (50, 7)).astype(np.float32))
    p = judged.probabilities
    assert score(judged) == pytest.approx(np.exp(np.mean([entropy(row, p.mean(0)) for row in p])), rel=1e-12)


def test_the_frechet_distance_equals_scipys_root_and_the_kernel_distance_its_definition() -> None:
    made, real, known = features(60, 0, 0.5), features(80, 1), features(200, 2)
    found = distances(made, real, known)
    a, b = (x.features.astype(np.float64) for x in (made, real))
    s, t = (np.cov(x, rowvar=False) for x in (a, b))
    frechet = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert found["classifier_frechet"] == pytest.approx(frechet, rel=1e-9)
    aa, bb, ab = (polynomial_kernel(x, y, degree=3, gamma=1 / 4, coef0=1) for x, y in ((a, a), (b, b), (a, b)))
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (aa, bb)]
    assert found["classifier_kernel"] == pytest.approx(sum(within) - 2 * ab.mean(), rel=1e-9)
    assert (found["distance_samples"], found["distance_reference"], found["feature_width"]) == (60, 80, 4)


def test_floors_are_of_as_many_real_training_items_and_lower_than_the_distance_of_shifted_ones() -> None:
    found = distances(features(60, 0, 1.0), features(80, 1), features(200, 2))
    for name in ("classifier_frechet", "classifier_kernel"):
        assert abs(found[f"{name}_floor"]) < 0.2 * found[name]
        assert found[f"{name}_floor_spread"] > 0
    fewer = distances(features(20, 0, 1.0), features(80, 1), features(200, 2))
    assert fewer["classifier_frechet_floor"] > 1.5 * found["classifier_frechet_floor"]  # a bias of small samples


def test_precision_and_recall_are_of_sets_of_one_size_with_a_floor_of_training_items() -> None:
    made, real, known = features(30, 0, 0.5), features(30, 1), features(30, 2)
    found, wanted = shared(made, real, known), overlap(real.features, made.features, 5)
    floor = overlap(real.features, known.features, 5)
    for name in ("precision", "recall", "density", "coverage"):
        assert found[name] == getattr(wanted, name)
        assert found[f"{name}_floor"] == getattr(floor, name)
    assert shared(made, features(90, 1), known)["overlap_samples"] == 30


def test_draws_are_different_items_fixed_by_the_seed_and_everything_where_all_are_asked_for() -> None:
    one, two = draws(100, 10, 0, 2)
    assert len(set(one)) == 10
    assert not np.array_equal(one, two)
    assert np.array_equal(draws(100, 10, 0, 1)[0], one)
    assert not np.array_equal(draws(100, 10, 1, 1)[0], one)
    assert np.array_equal(draws(7, 7, 3, 1)[0], np.arange(7))


def test_all_figures_are_there_in_any_order_of_the_items_and_without_labels_all_but_the_accuracy() -> None:
    judge = Judge("mnist", new_classifier(FORMS["mnist"], 0).eval(), {})
    rng = np.random.default_rng(0)
    made, test, train = (rng.integers(0, 256, (n, 1, 28, 28)).astype(np.uint8) for n in (70, 80, 90))
    labels = [rng.integers(0, 10, n) for n in (70, 80, 90)]
    found = classified(judge, made, test, labels[1], train, labels[2], asked=labels[0])
    order = rng.permutation(70)
    again = classified(judge, made[order], test, labels[1], train, labels[2], asked=labels[0][order])
    for name, value in found.items():
        assert again[name] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-6))
    without = classified(judge, made, test, labels[1], train, labels[2])
    assert set(found) - set(without) == {
        "accuracy",
        "accuracy_of_real_test",
        "accuracy_of_worst_class",
        "worst_class",
    }


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (None, "expected labels for the accuracy of the class asked for, got none"),
        (np.array([0, 1]), "expected one label for each of 3 items"),
        (np.array([0, 1, 3]), "expected labels 0 to 2 .* got 0 to 3"),
        (np.array([0, 1, -1]), "expected labels 0 to 2 .* got -1 to 1"),
    ],
)
def test_labels_that_are_missing_too_few_or_unknown_are_refused(asked: np.ndarray | None, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        accuracy(CLASSES, recognised(0, 1, 2), asked, recognised(0), np.array([0]))


def test_fewer_items_than_the_features_are_wide_or_neighbours_are_counted_are_refused() -> None:
    with pytest.raises(MetricError, match="more than 4 items of each kind for a covariance of 4 features, got 4"):
        distances(features(4, 0), features(80, 1), features(200, 2))
    with pytest.raises(MetricError, match="more than 5 items of each kind for precision and recall, got 5"):
        shared(features(5, 0), features(80, 1), features(200, 2))
