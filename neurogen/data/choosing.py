"""A few items that stand for a whole set, whose files lie sorted by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def classes_in_turn(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Indices of the first `count` items (all, if there are fewer), taken from each class in turn, sorted by class.

    labels: (N,). The first items of each class come first, so that a larger count adds to a smaller one.
    """
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        turn[labels == label] = np.arange(np.count_nonzero(labels == label))
    chosen = np.lexsort((labels, turn))[:count]
    return chosen[np.lexsort((chosen, labels[chosen]))]
