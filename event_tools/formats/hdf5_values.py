"""What HDF5 and MATLAB files hold as times, coordinates and polarities, as ours: exact, or refused.

Times: whole numbers are microseconds, floats are seconds unless `time_unit` says otherwise; seconds become the nearest
microsecond, a half the even one, computed in float64 (so times below 2^51 us that were divided by 10^6 come back).
Polarity: 1 or True is ON; 0, -1 and False are OFF. Nothing wraps: other values are a BadRow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError

FAR = 1 << 62  # microseconds; beyond that sums do not fit 64 bits


class BadRow(Exception):
    """Rows from `row` on cannot be decoded, or hold what no event can; offset: the byte, where it is known."""

    def __init__(self, row: int, reason: str, offset: int | None = None) -> None:
        super().__init__(reason)
        self.row, self.reason, self.offset = row, reason, offset


def refuse_far(t: NDArray[np.int64], path: Path) -> None:
    """Raise EventFileError for times, in order, that would not be read."""
    if len(t) and not (t[0] > -FAR and t[-1] < FAR):
        raise EventFileError(path, f"HDF5 holds times within {FAR} us of 0, got {t[0]} to {t[-1]}; shift them")


def microseconds(values: NDArray[Any], unit: str | None, shift: int, row: int) -> NDArray[np.int64]:
    """Times as int64 microseconds, `shift` added; row: of the first one, for BadRow."""
    kind = values.dtype.kind
    if kind == "f":
        exact = values.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.rint(exact if unit == "us" else exact * 1e6)
        if unit == "us" and (scaled != exact).any():
            _bad(scaled != exact, values, row, "a whole number of microseconds")
        low, high = (scaled.min(), scaled.max()) if len(scaled) else (0.0, 0.0)
        if not (low > -FAR and high < FAR):  # NaN compares false
            _bad(~(np.abs(scaled) < FAR), values, row, "a time that fits 64 bits")
        times = scaled.astype(np.int64)
    elif kind in "iu":
        factor = 1_000_000 if unit == "s" else 1
        low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
        if not -FAR < low * factor <= high * factor < FAR:
            limit = FAR // factor
            wrong = values >= limit if kind == "u" else (values >= limit) | (values <= -limit)
            _bad(wrong, values, row, "a time that fits 64 bits")
        times = values.astype(np.int64) * factor if factor > 1 else values.astype(np.int64)
    else:
        raise BadRow(row, f"expected times as numbers, got {values.dtype}")
    if shift:
        if len(times) and not -FAR < int(times.min()) + shift <= int(times.max()) + shift < FAR:
            raise BadRow(row, f"expected times that fit 64 bits, its offset is {shift}")
        times += shift
    return times


def coordinates(values: NDArray[Any], name: str, row: int) -> NDArray[np.uint16]:
    """x or y as uint16."""
    if values.dtype in (np.uint16, np.uint8):
        return values.astype(np.uint16, copy=False)
    if values.dtype.kind not in "iuf":
        raise BadRow(row, f"expected {name} as numbers, got {values.dtype}")
    if len(values) and not (values.min() >= 0 and values.max() <= 65535):
        _bad(~((values >= 0) & (values <= 65535)), values, row, f"{name} from 0 to 65535")
    whole = values.astype(np.uint16)
    if values.dtype.kind == "f" and (whole != values).any():
        _bad(whole != values, values, row, f"{name} as whole pixels")
    return whole


def polarities(values: NDArray[Any], row: int) -> NDArray[np.uint8]:
    """p as 0 and 1."""
    if values.dtype == np.bool_:
        if len(values) and (bits := values.view(np.uint8)).max() > 1:
            _bad(bits > 1, bits, row, "p of -1, 0 or 1")
        return values.view(np.uint8)
    if values.dtype.kind not in "iuf":
        raise BadRow(row, f"expected p as numbers, got {values.dtype}")
    if values.dtype == np.uint8:
        if len(values) and values.max() > 1:
            _bad(values > 1, values, row, "p of -1, 0 or 1")
        return values
    on = values == 1
    right = on | (values == 0)
    if values.dtype.kind != "u":
        right |= values == -1
    if not right.all():
        _bad(~right, values, row, "p of -1, 0 or 1")
    return on.view(np.uint8)


def _bad(wrong: NDArray[np.bool_], values: NDArray[Any], row: int, expected: str) -> None:
    at = int(np.argmax(wrong))
    raise BadRow(row + at, f"expected {expected}, event {row + at} has {values[at]}")
