"""What a classifier says of generated samples, each figure beside that of real ones.

    accuracy   share of class-conditional samples recognised as the class asked for
    balance    total variation between the classes recognised and the training labels' shares; entropy in bits
    score      exp of the mean KL divergence of p(y|x) from its mean (Salimans et al. 2016, with this classifier)
    overlap    precision, recall, density, coverage in its features (neurogen/metrics/neighbours.py)
    distances  Frechet and polynomial-kernel distance in its features, from the real test items

A floor is the same figure of as many real training items, drawn at random with a seed; where it is cheap, the mean over
ten draws and their standard deviation. The classifier has learnt from training items, so that its features are a
little sharper there than on the test: the floor is no lower bound by proof.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurogen.metrics.classifier import Inputs, Judge, Judged
from neurogen.metrics.errors import MetricError
from neurogen.metrics.frechet import frechet_distance, moments
from neurogen.metrics.kernel import kernel_distance
from neurogen.metrics.neighbours import overlap

DRAWS = 10  # of real training items
MOST_OVERLAP = 5000  # of each set: every pair is compared
NEIGHBOUR = 5  # the k-th, which a ball reaches to

Figures = dict[str, float | int | str]


def classified(
    judge: Judge,
    generated: Inputs,
    test: Inputs,
    test_labels: NDArray[np.int64],
    train: Inputs,
    train_labels: NDArray[np.int64],
    *,
    asked: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Figures:
    """All figures above of generated (N, ...) with the classes `asked` for (N,), None where nothing was asked.

    Inputs as `Judge` takes them. Raises MetricError for other shapes, and for fewer items than the features are wide.
    """
    made, real, known = judge(generated), judge(test), judge(train)
    figures = {} if asked is None else accuracy(judge.form.classes, made, asked, real, test_labels)
    figures |= balance(made, known, train_labels, seed)
    figures |= {"score": score(made), "score_of_real_test": score(real)}
    figures |= shared(made, real, known, seed)
    return figures | distances(made, real, known, seed)


def accuracy(
    classes: tuple[str, ...],
    made: Judged,
    asked: NDArray[np.int64] | None,
    real: Judged,
    real_labels: NDArray[np.int64],
) -> Figures:
    """Share recognised as asked, of the worst class too; raises MetricError without labels, or for other ones."""
    check_labels(asked, len(made), len(classes), "the accuracy of the class asked for")
    right = made.predicted == asked
    shares = {int(k): float(right[asked == k].mean()) for k in np.unique(asked)}
    worst = min(shares, key=lambda k: shares[k])
    return {
        "accuracy": float(right.mean()),
        "accuracy_of_real_test": float((real.predicted == real_labels).mean()),
        "accuracy_of_worst_class": shares[worst],
        "worst_class": classes[worst],
    }


def balance(made: Judged, known: Judged, known_labels: NDArray[np.int64], seed: int = 0) -> Figures:
    """How far the classes recognised are from the training labels' shares; floor: of as many training items."""
    shares, n = _shares(known_labels, known), min(len(made), len(known))
    floor = [_variation(_shares(known.predicted[index], known), shares) for index in draws(len(known), n, seed)]
    return {
        "balance_tv": _variation(_shares(made.predicted, made), shares),
        "balance_tv_floor": float(np.mean(floor)),
        "balance_entropy_bits": _entropy(_shares(made.predicted, made)),
        "balance_entropy_bits_of_training": _entropy(shares),
    }


def score(judged: Judged) -> float:
    """exp(E KL(p(y|x) || p(y))) over all items at once: 1 to the number of classes."""
    p = judged.probabilities
    log = np.log(np.maximum(p, np.finfo(np.float64).tiny))  # 0 log 0 = 0
    return float(np.exp((p * (log - np.log(p.mean(0)))).sum(1).mean()))


def shared(made: Judged, real: Judged, known: Judged, seed: int = 0) -> Figures:
    """Precision, recall, density and coverage among test features, all sets of one size; floor: training items."""
    n = min(len(made), len(real), len(known), MOST_OVERLAP)
    if n <= NEIGHBOUR:
        raise MetricError(
            f"expected more than {NEIGHBOUR} items of each kind for precision and recall, got {n}; add some"
        )
    (of_made,), (of_real,), (of_known,) = (draws(len(each), n, seed, 1) for each in (made, real, known))
    found = overlap(real.features[of_real], made.features[of_made], NEIGHBOUR)
    floor = overlap(real.features[of_real], known.features[of_known], NEIGHBOUR)
    figures: Figures = {}
    for name in ("precision", "recall", "density", "coverage"):
        figures |= {name: getattr(found, name), f"{name}_floor": getattr(floor, name)}
    return figures | {"overlap_samples": n, "overlap_k": NEIGHBOUR}


def distances(made: Judged, real: Judged, known: Judged, seed: int = 0) -> Figures:
    """Frechet and kernel distance to all test features, of n generated and n training items; n is in the result."""
    width, n = made.features.shape[1], min(len(made), len(known))
    if min(n, len(real)) <= width:
        raise MetricError(
            f"expected more than {width} items of each kind for a covariance of {width} features, got "
            f"{min(n, len(real))}; add some"
        )
    chosen = draws(len(made), n, seed, 1)[0]
    floors = [known.features[index] for index in draws(len(known), n, seed)]
    target = moments(real.features)
    figures: Figures = {"distance_samples": n, "distance_reference": len(real), "feature_width": width}
    measures = {
        "classifier_frechet": lambda features: frechet_distance(moments(features), target),
        "classifier_kernel": lambda features: kernel_distance(features, real.features),
    }
    for name, measure in measures.items():
        floor = [measure(features) for features in floors]
        figures |= {
            name: measure(made.features[chosen]),
            f"{name}_floor": float(np.mean(floor)),
            f"{name}_floor_spread": float(np.std(floor, ddof=1)),
        }
    return figures


def draws(items: int, n: int, seed: int, times: int = DRAWS) -> list[NDArray[np.int64]]:
    """Some times n different indices below `items`, ascending; all of them where n is their number."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    return [np.sort(rng.choice(items, n, replace=False)) for _ in range(times)]


def check_labels(labels: NDArray[np.int64] | None, items: int, classes: int, what: str) -> None:
    """Raises MetricError where labels are missing, too few, or of other classes."""
    if labels is None:
        raise MetricError(f"expected labels for {what}, got none; put samples in one folder per class")
    if labels.shape != (items,):
        raise MetricError(f"expected one label for each of {items} items for {what}, got {len(labels)}; correct them")
    if labels.min() < 0 or labels.max() >= classes:
        raise MetricError(
            f"expected labels 0 to {classes - 1} for {what}, got {labels.min()} to {labels.max()}; correct them"
        )


def _shares(labels: NDArray[np.int64], judged: Judged) -> NDArray[np.float64]:
    return np.bincount(labels, minlength=judged.logits.shape[1]) / len(labels)


def _variation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.abs(a - b).sum() / 2)


def _entropy(shares: NDArray[np.float64]) -> float:
    kept = shares[shares > 0]
    return float(-(kept * np.log2(kept)).sum())
