"""The classification accuracy score: what a classifier that has only seen generated samples knows of real ones.

The classifier of the data set (neurogen/metrics/classifier.py) is trained from scratch on generated samples with the
labels asked for, and tested on the real test items; beside it the same training on as many real training items. A model
that drops modes or blurs classes scores low although each sample looks right. Source: Ravuri and Vinyals,
"Classification accuracy score for conditional generative models", NeurIPS 2019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurogen.metrics.classified import Figures, check_labels, draws
from neurogen.metrics.classifier import FORMS, Inputs, Judge
from neurogen.metrics.errors import MetricError
from neurogen.metrics.fitting import BATCH, fit, new_classifier

STEPS = 400  # of training: ten times through 5,000 samples, half a minute on one core


def classification_accuracy_score(
    dataset: str,
    generated: Inputs,
    labels: NDArray[np.int64] | None,
    train: Inputs,
    train_labels: NDArray[np.int64],
    test: Inputs,
    test_labels: NDArray[np.int64],
    *,
    samples: int = 5000,
    seed: int = 0,
    steps: int = STEPS,
) -> Figures:
    """cas, cas_of_real (as many training items) and their ratio; inputs as `Judge` takes them.

    Of at most `samples` generated items, drawn with the seed. Raises MetricError without labels or for other shapes.
    """
    form = FORMS[dataset]
    check_labels(labels, len(generated), len(form.classes), "the classification accuracy score")
    n = min(samples, len(generated), len(train))
    if n < BATCH:
        raise MetricError(f"expected {BATCH} samples or more for the classification accuracy score, got {n}; make more")

    def accuracy(inputs: Inputs, targets: NDArray[np.int64]) -> float:
        (index,) = draws(len(inputs), n, seed, 1)
        judge = Judge(dataset, fit(new_classifier(form, seed), form, inputs[index], targets[index], steps, seed), {})
        return float((judge(test).predicted == test_labels).mean())

    cas, of_real = accuracy(generated, labels), accuracy(train, train_labels)
    figures: Figures = {"cas": cas, "cas_of_real": of_real, "cas_ratio": cas / of_real}
    return figures | {"cas_samples": n, "cas_steps": steps, "cas_seed": seed}
