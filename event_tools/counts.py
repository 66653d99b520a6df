"""Real-valued frames to whole event counts: undo a resize, drop what is noise, round without losing the total."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ROUNDINGS = ("round", "largest_remainder", "dead_zone")


def to_counts(
    values: NDArray[np.floating],
    rounding: str = "round",
    dead_zone: float = 0.0,
    budget: int | None = None,
    seed: int = 0,
) -> NDArray[np.int32]:
    """Whole counts of expected counts `values` (any shape), same shape; negative values count as 0.

    round: each to the nearest; largest_remainder: floors, then one more where the remainder is largest until the total
    is the rounded sum; dead_zone: values below `dead_zone` are 0 first, then as largest_remainder. budget: scale to
    this total before. Ties are broken by a seeded shuffle. Raises ValueError for an unknown rounding or NaN.
    """
    if rounding not in ROUNDINGS:
        raise ValueError(f"expected rounding to be {', '.join(ROUNDINGS)}, got {rounding!r}")
    x = np.maximum(np.asarray(values, np.float64), 0.0)
    if not np.isfinite(x).all():
        raise ValueError("expected finite counts, got NaN or infinity; the model has diverged")
    if rounding == "dead_zone":
        x = np.where(x < dead_zone, 0.0, x)
    if budget is not None and x.sum() > 0:
        x *= budget / x.sum()
    if rounding == "round":
        return np.rint(x).astype(np.int32)
    whole = np.floor(x)
    missing = round(float(x.sum() - whole.sum()))
    rest = (x - whole).ravel()
    shuffle = np.random.Generator(np.random.Philox(key=seed)).permutation(rest.size)
    largest = shuffle[np.argsort(-rest[shuffle], kind="stable")[:missing]]
    counts = whole.ravel()
    counts[largest] += 1
    return counts.reshape(x.shape).astype(np.int32)


def to_budget(values: NDArray[np.number], total: int | None = None, seed: int = 0) -> NDArray[np.int32]:
    """Counts (T, ...) near `values` that binning by count could have given: N // T a frame, the rest in the last.

    total: N, by default the rounded sum of the values. Each frame is scaled to its budget and rounded by largest
    remainder, ties broken by a seeded shuffle. Raises ValueError for a frame without any value that needs one.
    """
    values = np.asarray(values)
    if total is None:
        total = round(float(np.maximum(values, 0).sum(dtype=np.float64)))
    if not len(values) or total < 0:
        raise ValueError(f"expected one frame or more and a total from 0 up, got {len(values)} frames and {total}")
    budgets = [total // len(values)] * (len(values) - 1)
    budgets.append(total - sum(budgets))
    for i, budget in enumerate(budgets):
        if budget and not (values[i] > 0).any():
            raise ValueError(f"expected something in frame {i}, which is to hold {budget} events, got nothing")
    frames = [
        to_counts(frame, "largest_remainder", budget=budget, seed=seed + i)
        for i, (frame, budget) in enumerate(zip(values, budgets, strict=True))
    ]
    return np.stack(frames)


@lru_cache(maxsize=16)
def bilinear_matrix(size: int, source: int) -> NDArray[np.float64]:
    """(size, source) weights of bilinear interpolation with aligned corners."""
    position = np.arange(size) * ((source - 1) / max(size - 1, 1))
    low = np.minimum(position.astype(int), max(source - 2, 0))
    weight = position - low
    matrix = np.zeros((size, source))
    matrix[np.arange(size), low] = 1 - weight
    if source > 1:
        matrix[np.arange(size), low + 1] += weight
    return matrix


def resize(values: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """(..., H, W) to (..., *size), bilinear with aligned corners."""
    rows, columns = bilinear_matrix(size[0], values.shape[-2]), bilinear_matrix(size[1], values.shape[-1])
    return rows @ np.asarray(values, np.float64) @ columns.T


def undo_resize(values: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """The (..., *size) frames whose `resize` is nearest to (..., H, W) values: exact for upsized frames."""
    rows = np.linalg.pinv(bilinear_matrix(values.shape[-2], size[0]))
    columns = np.linalg.pinv(bilinear_matrix(values.shape[-1], size[1]))
    return rows @ np.asarray(values, np.float64) @ columns.T
