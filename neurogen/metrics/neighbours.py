"""Precision, recall, density and coverage of generated features among real ones, and how near samples lie to training.

    precision  share of generated features inside the ball of some real one        (Kynkaanniemi et al. 2019)
    recall     share of real features inside the ball of some generated one
    density    mean over generated features of the real balls they lie in, over k  (Naeem et al. 2020)
    coverage   share of real features whose ball holds a generated one

A ball reaches to the k-th nearest other feature of its own set. Precision and recall have 1 at most; density does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SLAB = 1 << 23  # distances held at once: 64 MiB of float64


@dataclass(frozen=True)
class Overlap:
    """The four figures, of two sets of features."""

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(real: NDArray[np.floating], generated: NDArray[np.floating], k: int = 5) -> Overlap:
    """Of real (M, D) and generated (N, D) features; raises ValueError where a set has no k-th neighbour."""
    for name, features in (("real", real), ("generated", generated)):
        if features.ndim != 2 or len(features) <= k:
            raise ValueError(f"expected more than k={k} {name} features, got shape {features.shape}; give more images")
    real_reach, generated_reach = radii(real, k), radii(generated, k)
    in_real, in_generated = np.zeros(len(generated)), np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for part in _slabs(len(real), len(generated)):
        distances = squared_distances(real[part], generated)
        inside = distances <= real_reach[part, None]
        in_real += inside.sum(0)
        covered[part] = inside.any(1)
        in_generated[part] = (distances <= generated_reach).any(1)
    return Overlap(
        precision=float((in_real > 0).mean()),
        recall=float(in_generated.mean()),
        density=float(in_real.mean() / k),
        coverage=float(covered.mean()),
    )


def radii(features: NDArray[np.floating], k: int) -> NDArray[np.float64]:
    """(M,) squared distance of each of features (M, D) to its k-th nearest other."""
    reach = np.empty(len(features))
    for part in _slabs(len(features), len(features)):
        reach[part] = np.partition(squared_distances(features[part], features), k, axis=1)[:, k]  # itself is the 0th
    return reach


def nearest(of: NDArray[np.floating], among: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each of (N, D) the index (N,) of the nearest among (M, D), and its Euclidean distance (N,).

    Who is nearest is decided in float32, where two that are within a millionth may change places; distances are exact.
    """
    index, distance = np.empty(len(of), np.int64), np.empty(len(of))
    known = among.astype(np.float32)
    lengths = np.square(known).sum(1)
    for part in _slabs(len(of), len(among)):
        squares = lengths - 2 * of[part].astype(np.float32) @ known.T  # but for |of|^2, which is the same for all
        index[part] = squares.argmin(1)
        distance[part] = np.linalg.norm(of[part].astype(np.float64) - among[index[part]], axis=1)
    return index, distance


def squared_distances(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """(M, N) squared Euclidean distances of a (M, D) and b (N, D), in float64."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    return np.maximum(squares, 0)


def _slabs(rows: int, columns: int) -> list[slice]:
    size = max(1, SLAB // max(columns, 1))
    return [slice(start, start + size) for start in range(0, rows, size)]
