"""A small classifier of recordings, to ask whether a generated one shows what was asked for.

Features are square roots of event counts, 2x2 pooled, both polarities and all steps; the classifier is scikit-learn's
support vector machine with a Gaussian kernel. Trained on a set's own training recordings, in seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class CountClassifier:
    """counts: (N, T, 2, H, W) event counts; labels: (N,) integers."""

    def __init__(self, counts: NDArray[np.integer], labels: NDArray[np.int64]) -> None:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        self._model: Any = make_pipeline(StandardScaler(with_std=False), SVC(C=10.0, gamma="scale"))
        self._model.fit(self._features(counts), labels)

    def predict(self, counts: NDArray[np.integer]) -> NDArray[np.int64]:
        """The label of each recording, (N,)."""
        return self._model.predict(self._features(counts))

    def accuracy(self, counts: NDArray[np.integer], labels: NDArray[np.int64]) -> float:
        """Share of recordings given their label."""
        return float((self.predict(counts) == labels).mean())

    @staticmethod
    def _features(counts: NDArray[np.integer]) -> NDArray[np.float64]:
        height, width = counts.shape[-2] // 2 * 2, counts.shape[-1] // 2 * 2
        x = np.asarray(counts[..., :height, :width], np.float64)
        pooled = x.reshape(*x.shape[:-2], height // 2, 2, width // 2, 2).sum((-3, -1))
        return np.sqrt(pooled).reshape(len(x), -1)
