"""The classification accuracy score on items that tell their class by where they are bright."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from neurogen.metrics import fitting
from neurogen.metrics.cas import classification_accuracy_score
from neurogen.metrics.errors import MetricError
from tests.neurogen.metrics.bright_bars import bars

STEPS = 25


@pytest.fixture(autouse=True, scope="module")
def small_batches() -> Iterator[None]:
    """Of 32, so that the tests take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "BATCH", 32)
        yield


@pytest.fixture(scope="module")
def good() -> dict[str, float]:
    return classification_accuracy_score(
        "mnist", *bars(200, 0), *bars(400, 1), *bars(100, 2), samples=150, seed=1, steps=STEPS
    )


def test_samples_that_are_as_good_as_real_ones_score_as_they_do(good: dict[str, float]) -> None:
    assert good["cas_ratio"] == pytest.approx(good["cas"] / good["cas_of_real"])
    assert (good["cas_samples"], good["cas_steps"], good["cas_seed"]) == (150, STEPS, 1)


def test_samples_whose_labels_are_wrong_teach_nothing_and_real_ones_still_do(good: dict[str, float]) -> None:
    images, labels = bars(200, 0)
    wrong = classification_accuracy_score(
        "mnist", images, (labels + 1) % 10, *bars(400, 1), *bars(100, 2), samples=150, seed=1, steps=STEPS
    )
    assert wrong["cas_of_real"] == good["cas_of_real"]  # by the seed alone
    assert wrong["cas"] < 0.5 * good["cas"]


def test_missing_labels_other_sizes_and_few_samples_are_refused() -> None:
    images, labels = bars(200, 0)
    with pytest.raises(MetricError, match="expected labels for the classification accuracy score, got none"):
        classification_accuracy_score("mnist", images, None, images, labels, images, labels)
    with pytest.raises(MetricError, match=r"expected 128 samples or more .* got 100"):
        classification_accuracy_score("mnist", images[:100], labels[:100], images, labels, images, labels)
    with pytest.raises(MetricError, match=r"of shape \(1, 28, 28\)"):
        classification_accuracy_score("mnist", images[..., :27], labels, images, labels, images, labels, steps=1)
