"""Whether a generator has collapsed: how far its samples are apart, and into how many classes they fall.

    pairwise       mean L2 distance between two samples (by class: of the same class), over that between real items
    class_entropy  entropy of the classes that a small classifier recognises, over that of equal shares

Both are 1 where samples are as varied as real items, and 0 where all are the same. Samples are those of one seed, so
that figures of different steps compare; real items are held out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neurogen.metrics.autoencoder_distance import resized
from neurogen.metrics.classifier import FORMS, Form, Inputs, Judge, event_counts, load_classifier
from neurogen.model import Samples

WATCHED = 64  # samples
LEAST_PAIRWISE = 0.5
LEAST_ENTROPY = 0.5  # three of ten classes, equally frequent, have 0.48
FIGURES = ("pairwise", "class_entropy", "collapsed")
ADVICE = "lower train.lr, or take losses.kind=hinge, model.discriminator.norm=spectral and losses.spread"


@dataclass(frozen=True)
class Variety:
    """Of samples beside real items; class_entropy is None where no classifier ships for the data."""

    pairwise: float
    class_entropy: float | None

    @property
    def warning(self) -> str | None:
        """What is wrong, in a sentence, or None."""
        found = []
        if self.pairwise < LEAST_PAIRWISE:
            found.append(f"samples are {self.pairwise:.2f} times as far apart as real items")
        if self.class_entropy is not None and self.class_entropy < LEAST_ENTROPY:
            found.append(f"the entropy of their classes is {self.class_entropy:.2f} of the largest")
        return f"the generator has collapsed: {' and '.join(found)}; {ADVICE}" if found else None

    def figures(self) -> dict[str, float]:
        """For metrics.csv; collapsed is 1 where there is a warning."""
        entropy = {} if self.class_entropy is None else {"class_entropy": self.class_entropy}
        return {"pairwise": self.pairwise, **entropy, "collapsed": float(self.warning is not None)}


def variety(made: Samples, real: Samples, judge: Judge | None, by_class: bool = False) -> Variety:
    """Of samples beside real items that came the same way (`Model.finish`).

    by_class: labels were asked for; then a generator that gives one item for each has collapsed too.
    """
    apart = [pairwise_distance(_items(each), each.labels if by_class else None) for each in (made, real)]
    relative = apart[0] / apart[1] if apart[1] else 1.0  # real items that are all the same
    return Variety(
        relative, None if judge is None else class_entropy(judge(_judged(made, judge.form)).predicted, judge)
    )


def judge_of(name: str) -> Judge | None:
    """The classifier that ships for a data set, or None."""
    return load_classifier(name) if name in FORMS else None


def pairwise_distance(items: NDArray[np.generic], labels: NDArray[np.int64] | None = None) -> float:
    """Mean Euclidean distance of two different items of (N, ...), with labels (N,) of the same label; 0 without one."""
    x = torch.from_numpy(items.reshape(len(items), -1).astype(np.float64))
    first, second = torch.triu_indices(len(x), len(x), 1)
    apart = torch.pdist(x)  # in this order of pairs
    if labels is not None:
        apart = apart[torch.from_numpy(labels)[first] == torch.from_numpy(labels)[second]]
    return float(apart.mean()) if len(apart) else 0.0


def class_entropy(predicted: NDArray[np.int64], judge: Judge) -> float:
    """Entropy of the shares of classes over log K: 0 for one class, 1 for equal shares."""
    classes = len(judge.form.classes)
    shares = np.bincount(predicted, minlength=classes) / len(predicted)
    kept = shares[shares > 0]
    return float(-(kept * np.log(kept)).sum() / np.log(classes)) + 0.0


def _items(samples: Samples) -> NDArray[np.generic]:
    made = samples.images if samples.images is not None else samples.counts
    assert made is not None
    return made


def _judged(samples: Samples, form: Form) -> Inputs:
    if form.sensor is not None:
        return event_counts(samples.recordings(), form)
    assert samples.images is not None
    return resized(samples.images, form.shape[-1])
