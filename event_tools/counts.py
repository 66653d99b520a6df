"""Real-valued frames to whole event counts: undo a resize or a sum, drop what is noise, round and keep the total."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

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


def sum_blocks(counts: NDArray[Any], factor: int) -> NDArray[Any]:
    """(..., H, W) counts to (..., H / factor, W / factor): the sums over squares of factor x factor pixels.

    int64 of whole numbers, float64 of others.
    """
    *others, height, width = counts.shape
    wide = np.int64 if counts.dtype.kind in "iub" else np.float64
    rows = counts.reshape(*others, height // factor, factor, width).sum(-2, dtype=wide)
    return rows.reshape(*others, height // factor, width // factor, factor).sum(-1)


def spread(values: NDArray[np.floating], factor: int) -> NDArray[np.float64]:
    """(..., h, w) values from 0 up to (..., h * factor, w * factor): each one shared out over its square of pixels.

    Shares follow a bilinear interpolation of the values, so that a slope stays one; a square sums to its value exactly,
    but for rounding. Negative values count as 0.
    """
    x = np.maximum(np.asarray(values, np.float64), 0.0)
    rows, columns = (_centred_matrix(n * factor, n) for n in x.shape[-2:])
    shares = _squares(rows @ x @ columns.T, factor)  # (..., h, w, factor^2)
    total = shares.sum(-1, keepdims=True)
    shares = np.divide(shares, total, out=np.full_like(shares, 1 / factor**2), where=total > 0)
    return _from_squares(shares * x[..., None], factor)


def spread_counts(counts: NDArray[np.integer], factor: int, seed: int = 0) -> NDArray[np.int32]:
    """`spread` in whole events: `sum_blocks` of the answer is `counts` exactly. (..., h, w) to (..., h * f, w * f).

    Systematic sampling in a seeded order of each square's pixels: a pixel has the floor or the ceiling of its share,
    and in the mean its share. Raises ValueError for a negative count.
    """
    whole = np.asarray(counts)
    if whole.min(initial=0) < 0:
        raise ValueError(f"expected counts from 0 up, got {whole.min()}")
    rng = np.random.Generator(np.random.Philox(key=seed))
    shares = _squares(spread(whole, factor), factor)
    order = rng.random(shares.shape).argsort(-1)
    ends = np.cumsum(np.take_along_axis(shares, order, -1), -1) + rng.random((*whole.shape, 1))
    ends[..., -1] = whole + 0.5  # the sum but for rounding: the last pixel takes what is left
    parts = np.diff(np.minimum(np.floor(ends), whole[..., None]), axis=-1, prepend=0.0)
    made = np.empty(shares.shape, np.int32)
    np.put_along_axis(made, order, parts.astype(np.int32), -1)
    return _from_squares(made, factor)


def _squares(values: NDArray[Any], factor: int) -> NDArray[Any]:
    """(..., h * f, w * f) to (..., h, w, f * f)."""
    *others, height, width = values.shape
    parts = values.reshape(*others, height // factor, factor, width // factor, factor)
    return np.moveaxis(parts, -3, -2).reshape(*others, height // factor, width // factor, factor * factor)


def _from_squares(parts: NDArray[Any], factor: int) -> NDArray[Any]:
    """The inverse of `_squares`."""
    *others, height, width, _ = parts.shape
    values = np.moveaxis(parts.reshape(*others, height, width, factor, factor), -2, -3)
    return values.reshape(*others, height * factor, width * factor)


@lru_cache(maxsize=16)
def _centred_matrix(size: int, source: int) -> NDArray[np.float64]:
    """(size, source) weights of bilinear interpolation between pixel centres; beyond the outermost ones constant."""
    position = np.clip((np.arange(size) + 0.5) * source / size - 0.5, 0, source - 1)
    low = np.minimum(position.astype(int), max(source - 2, 0))
    matrix = np.zeros((size, source))
    matrix[np.arange(size), low] = 1 - (position - low)
    if source > 1:
        matrix[np.arange(size), low + 1] += position - low
    return matrix


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
