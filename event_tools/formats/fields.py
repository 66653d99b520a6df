"""Named or ordered columns of numbers become events: which is which, in what unit, and what values they may have.

Times are whole microseconds unless time_unit says seconds; floating-point times need it, and are rounded to the nearest
microsecond. x and y are whole numbers up to 65535. Polarities are 0 and 1, -1 and 1, or truth values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats.reader import Columns, one_of

NAMES = {
    "t": ("t", "ts", "time", "timestamp", "timestamps"),
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "p": ("p", "ps", "pol", "polarity", "polarities", "on"),
}
UNITS = ("us", "s")
INT64_LIMIT = 1 << 63
ZERO, MINUS = 1, 2  # polarities seen besides 1; both in one file would be ambiguous


def named(names: Sequence[str], path: Path, offset: int | None = None) -> dict[str, int]:
    """Where t, x, y and p stand among `names`, by the spellings in NAMES; EventFileError where one is not told."""
    lower = [name.strip().lower() for name in names]
    places: dict[str, int] = {}
    for column, spellings in NAMES.items():
        found = [i for i, name in enumerate(lower) if name in spellings]
        if len(found) != 1:
            reason = f"expected one of {', '.join(spellings)} among its columns"
            raise EventFileError(path, f"{reason}, got {', '.join(names)[:200]!a}", offset)
        places[column] = found[0]
    return places


def ordered(convention: str, path: Path) -> dict[str, int]:
    """Where t, x, y and p stand, by an order such as "txyp"; raises EventFileError for other letters."""
    if sorted(convention) != sorted("txyp"):
        raise EventFileError(
            path, f"expected convention to order four columns, such as txyp or xytp, got {convention!r}"
        )
    return {column: convention.index(column) for column in "txyp"}


@dataclass(frozen=True)
class Conversion:
    """Arrays of one file into columns of events. time_unit: "us", "s", or None where nothing was said."""

    path: Path
    time_unit: str | None

    def __post_init__(self) -> None:
        if self.time_unit is not None:
            one_of(self.path, "time_unit", self.time_unit, UNITS)

    def columns(
        self, fields: Mapping[str, NDArray[Any]], first: int, byte_of: Callable[[int], int] | None = None
    ) -> tuple[Columns, int]:
        """The events, and which of ZERO and MINUS were among the polarities.

        fields: t, x, y, p, each (n,); first: the number of the first event, for messages; byte_of: its byte, as in
        `Columns`. Raises EventFileError for a value that no event can have.
        """
        refuse = _Refusal(self.path, first, byte_of)
        t = self.times(fields["t"], refuse)
        p, seen = _polarities(fields["p"], refuse)
        return Columns(t, _places("x", fields["x"], refuse), _places("y", fields["y"], refuse), p, byte_of), seen

    def times(self, values: NDArray[Any], refuse: _Refusal | None = None) -> NDArray[np.int64]:
        """Whole microseconds."""
        refuse = refuse or _Refusal(self.path, 0, None)
        _one_dimension("t", values, refuse)
        if values.dtype.kind == "f":
            if self.time_unit is None:
                refuse.file("its times are fractions; say time_unit, us or s")
            with np.errstate(all="ignore"):
                scaled = np.rint(values.astype(np.float64) * (1e6 if self.time_unit == "s" else 1.0))
                wrong = ~(np.abs(scaled) < INT64_LIMIT)
            refuse.where(wrong, values, "expected times that fit 64 bits of microseconds")
            return scaled.astype(np.int64)
        if values.dtype.kind not in "iu":
            refuse.file(f"expected numbers as times, got {values.dtype}")
        factor = 1_000_000 if self.time_unit == "s" else 1
        if factor > 1 or values.dtype == np.uint64 or values.dtype == np.dtype(">u8"):
            top = (INT64_LIMIT - 1) // factor
            wrong = (values > top) | (values < -top) if values.dtype.kind == "i" else values > top
            refuse.where(wrong, values, "expected times that fit 64 bits of microseconds")
        whole = np.asarray(values, np.int64)
        return whole if factor == 1 else whole * factor


@dataclass(frozen=True)
class _Refusal:
    path: Path
    first: int
    byte_of: Callable[[int], int] | None

    def file(self, reason: str) -> NoReturn:
        raise EventFileError(self.path, reason, self.byte_of(0) if self.byte_of else None)

    def where(self, wrong: NDArray[np.bool_], values: NDArray[Any], expected: str) -> None:
        if wrong.any():
            at = int(np.argmax(wrong))
            offset = self.byte_of(at) if self.byte_of else None
            raise EventFileError(self.path, f"{expected}, event {self.first + at} has {values[at]}", offset)


def _places(name: str, values: NDArray[Any], refuse: _Refusal) -> NDArray[np.uint16]:
    _one_dimension(name, values, refuse)
    expected = f"expected {name} to be whole and from 0 to 65535"
    if values.dtype.kind not in "iuf":
        refuse.file(f"{expected}, got {values.dtype}")
    if values.dtype.kind == "f":
        with np.errstate(all="ignore"):
            refuse.where(~((values >= 0) & (values <= 65535) & (values == np.floor(values))), values, expected)
    elif values.dtype.kind == "i" or values.dtype.itemsize > 2:
        low = len(values) and values.min() < 0
        if low or (values.dtype.itemsize > 2 and len(values) and values.max() > 65535):
            refuse.where((values < 0) | (values > 65535), values, expected)
    return np.asarray(values, np.uint16)


def _polarities(values: NDArray[Any], refuse: _Refusal) -> tuple[NDArray[np.uint8], int]:
    _one_dimension("p", values, refuse)
    if values.dtype.kind == "b":
        return np.asarray(values, np.uint8), ZERO
    if values.dtype.kind not in "iuf":
        refuse.file(f"expected polarities as numbers, got {values.dtype}")
    if values.dtype.kind == "u":
        if len(values) and values.max() > 1:
            refuse.where(values > 1, values, "expected polarities 0 and 1")
        return np.asarray(values, np.uint8), 0
    on, off, minus = values == 1, values == 0, values == -1
    refuse.where(~(on | off | minus), values, "expected polarities 0 and 1, or -1 and 1")
    return on.astype(np.uint8), ZERO * bool(off.any()) | MINUS * bool(minus.any())


def _one_dimension(name: str, values: NDArray[Any], refuse: _Refusal) -> None:
    if values.ndim != 1:
        refuse.file(f"expected {name} as one number an event, got {values.ndim} dimensions")


def refuse_mixture(path: Path, seen: int) -> None:
    """Raise EventFileError where polarities 0 and -1 both occur, so that either might be OFF."""
    if seen == ZERO | MINUS:
        raise EventFileError(path, "expected polarities 0 and 1, or -1 and 1, got 0 and -1 in one file")
