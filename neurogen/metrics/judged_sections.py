"""Sections of `neurogen evaluate` in which the data set's small classifier judges: `classifier` and `cas`."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurogen.metrics.autoencoder_distance import resized
from neurogen.metrics.autoencoder_figures import drawn_index
from neurogen.metrics.classifier import FORMS, Form, Inputs, event_counts, load_classifier
from neurogen.metrics.errors import MetricError
from neurogen.metrics.evaluation import Evaluation
from neurogen.metrics.recording_counts import counted

Figures = dict[str, Any]

LEARNED = 10_000  # recordings that a classifier made on the spot learns from, at most


def classifier(evaluation: Evaluation) -> Figures:
    """Accuracy, balance, score, overlap and distances of what is generated; accuracy of reconstructed test items."""
    from neurogen.metrics.classified import classified

    if evaluation.reference.name not in FORMS and evaluation.own.makes_recordings:
        return _by_counts(evaluation)
    form, labels = _form(evaluation), evaluation.generated.labels
    judge = load_classifier(evaluation.reference.name)
    test, test_labels = _real(evaluation, form, "test")
    train, train_labels = _real(evaluation, form, "train")
    figures: Figures = classified(
        judge,
        _generated(evaluation, form),
        test,
        test_labels,
        train,
        train_labels,
        asked=labels,
        seed=evaluation.settings.seed,
    )
    if evaluation.encodes:
        rebuilt = evaluation.rebuilt_recordings() if form.sensor else evaluation.rebuilt("test").images
        inputs = event_counts(rebuilt) if form.sensor else _fitted(rebuilt, form)
        figures["accuracy_of_reconstructed_test"] = float((judge(inputs).predicted == test_labels).mean())
    figures["reference"] = "test"
    return figures | ({} if labels is not None else {"without_accuracy": evaluation.generated.unlabelled})


def _by_counts(evaluation: Evaluation) -> Figures:
    """Accuracy alone, by a support vector machine that learns from the training recordings now."""
    from neurogen.recognition import CountClassifier

    train, test = (evaluation.own.recordings(split) for split in ("train", "test"))
    index = drawn_index(len(train), LEARNED, evaluation.settings.seed)  # files often lie class by class
    judge = CountClassifier(np.asarray(train.counts[index]), train.labels[index])
    made = counted(evaluation.recordings, train, evaluation.generated.edges)
    figures: Figures = {
        "accuracy": judge.accuracy(made, evaluation.labels),
        "accuracy_of_real_test": judge.accuracy(np.asarray(test.counts), test.labels),
    }
    if evaluation.encodes:
        rebuilt = evaluation.rebuilt("test").counts
        assert rebuilt is not None
        figures["accuracy_of_reconstructed_test"] = judge.accuracy(rebuilt, test.labels)
    return figures | {
        "reference": "test",
        "classifier": f"support vector machine on counts of {len(index)} recordings",
    }


def accuracy_score(evaluation: Evaluation) -> Figures:
    """Classification accuracy score: trained on what is generated, tested on the real test items."""
    from neurogen.metrics.cas import classification_accuracy_score

    form, labels = _form(evaluation), evaluation.labels
    train, test = (_real(evaluation, form, split) for split in ("train", "test"))
    return classification_accuracy_score(
        evaluation.reference.name,
        _generated(evaluation, form),
        labels,
        *train,
        *test,
        seed=evaluation.settings.seed,
    )


def _form(evaluation: Evaluation) -> Form:
    name = evaluation.reference.name
    if name not in FORMS:
        raise MetricError(f"no classifier ships for {name}, only for {', '.join(FORMS)}; leave this metric out")
    return FORMS[name]


def _generated(evaluation: Evaluation, form: Form) -> Inputs:
    if form.sensor is None:
        return _fitted(evaluation.images, form)
    return event_counts(evaluation.recordings, form)


def _real(evaluation: Evaluation, form: Form, split: str) -> tuple[Inputs, np.ndarray]:
    if form.sensor is None:
        data = evaluation.reference.split(split)
        return evaluation.reference.images(split), data.labels
    real = evaluation.real_recordings(split)
    return event_counts(real.recordings, form), real.labels


def _fitted(images: Any, form: Form) -> Inputs:
    """Images at the size that the classifier has learnt."""
    if images.shape[1] != form.shape[0]:
        raise MetricError(f"expected images of {form.shape[0]} channels for this classifier, got {images.shape[1]}")
    return resized(images, form.shape[-1])
