"""Collapse is seen where it is, and only there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.stats import entropy

from neurogen.metrics.classifier import load_classifier
from neurogen.model import Samples
from neurogen.training.collapse import (
    LEAST_ENTROPY,
    Variety,
    class_entropy,
    judge_of,
    pairwise_distance,
    variety,
)


def samples(images: NDArray[np.uint8]) -> Samples:
    return Samples(labels=np.zeros(len(images), np.int64), codes=None, seeds=np.arange(len(images)), images=images)


def noise(n: int = 20, seed: int = 0, scale: float = 1.0) -> NDArray[np.uint8]:
    return (scale * np.random.default_rng(seed).integers(0, 256, (n, 1, 28, 28))).astype(np.uint8)


def test_distance_is_the_mean_over_pairs() -> None:
    images = noise(7)
    assert pairwise_distance(images) == pytest.approx(pdist(images.reshape(7, -1).astype(float)).mean())
    assert pairwise_distance(images[:1]) == 0


def test_distance_by_class_is_the_mean_over_pairs_of_a_class() -> None:
    images, labels = noise(5), np.array([1, 0, 1, 0, 0])
    x = images.reshape(5, -1).astype(float)
    expected = [np.linalg.norm(x[i] - x[j]) for i, j in ((0, 2), (1, 3), (1, 4), (3, 4))]
    assert pairwise_distance(images, labels) == pytest.approx(np.mean(expected))
    assert pairwise_distance(images[:2], labels[:2]) == 0


def test_one_item_for_each_class_is_a_collapse_of_a_generator_by_class() -> None:
    labels = np.arange(20) % 10
    made = dataclasses.replace(samples(np.tile(noise(10), (2, 1, 1, 1))), labels=labels)
    real = dataclasses.replace(samples(noise()), labels=labels)
    assert variety(made, real, None).warning is None
    assert variety(made, real, None, by_class=True).pairwise == 0


def test_entropy_is_that_of_shares_of_classes() -> None:
    judge = load_classifier("mnist")
    predicted = np.array([0, 0, 0, 3, 3, 9])
    assert class_entropy(predicted, judge) == pytest.approx(entropy([3, 2, 1]) / np.log(10))
    assert class_entropy(np.arange(20) % 10, judge) == pytest.approx(1)
    assert class_entropy(np.full(5, 7), judge) == 0
    assert class_entropy(np.arange(30) % 3, judge) < LEAST_ENTROPY < class_entropy(np.arange(40) % 4, judge)


def test_equal_samples_are_a_collapse() -> None:
    found = variety(samples(np.repeat(noise(1), 20, 0)), samples(noise()), load_classifier("mnist"))
    assert (found.pairwise, found.class_entropy) == (0, 0)
    assert found.warning is not None
    assert found.warning.startswith(
        "the generator has collapsed: samples are 0.00 times as far apart as real items and the entropy of their "
        "classes is 0.00 of the largest; "
    )
    assert found.figures()["collapsed"] == 1


def test_samples_as_varied_as_real_items_are_none() -> None:
    found = variety(samples(noise(seed=1)), samples(noise()), None)
    assert found.pairwise == pytest.approx(1, abs=0.02)
    assert found.warning is None
    assert found.figures() == {"pairwise": found.pairwise, "collapsed": 0}


def test_paler_samples_are_nearer_to_each_other() -> None:
    found = variety(samples(noise(seed=1, scale=0.25)), samples(noise()), None)
    assert found.pairwise == pytest.approx(0.25, abs=0.01)
    assert found.warning is not None and "entropy" not in found.warning


def test_few_classes_are_a_collapse_however_far_apart() -> None:
    warning = Variety(1.0, 0.3).warning
    assert warning is not None and "0.30 of the largest" in warning and "apart" not in warning


def test_nothing_is_compared_with_real_items_that_are_all_the_same() -> None:
    assert variety(samples(noise()), samples(np.zeros((9, 1, 28, 28), np.uint8)), None).pairwise == 1


def test_a_classifier_judges_where_one_ships() -> None:
    assert judge_of("cifar10") is None
    assert judge_of("fashion") is not None


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
