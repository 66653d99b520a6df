"""What parameters of filters and augmentations may be; each check answers with one sentence."""

from __future__ import annotations

import math
from operator import index
from typing import Any

MOST_PIXELS = 1 << 24  # 4096x4096; what a filter is ready to keep a number for, each


def whole(name: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """The value as an int; raises ValueError unless it is a whole number from low to high."""
    try:
        number = index(value)
    except TypeError:
        raise ValueError(f"expected {name} as a whole number, got {value!r}") from None
    if (low is not None and number < low) or (high is not None and number > high):
        span = f"from {low} up" if high is None else f"from {low} to {high}" if low is not None else f"up to {high}"
        raise ValueError(f"expected {name} {span}, got {number}")
    return number


def real(name: str, value: Any, low: float = 0.0, high: float = math.inf, above: bool = False) -> float:
    """The value as a finite float; raises ValueError unless it is from low (or, with `above`, above it) to high."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"expected {name} as a number, got {value!r}") from None
    if not math.isfinite(number) or number < low or number > high or (above and number == low):
        span = f"above {low:g}" if above else f"from {low:g}"
        span += f" to {high:g}" if math.isfinite(high) else "" if above else " up"
        raise ValueError(f"expected {name} {span}, got {value}")
    return number


def rows_and_columns(sensor_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width), for an array with a place for each pixel; raises ValueError for a sensor without measure."""
    width, height = sensor_size
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"expected a sensor of at most {MOST_PIXELS} pixels for a filter that looks at each, got {width}x{height}; "
            f"crop it first"
        )
    return height, width


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """The value; raises ValueError unless it is one of the allowed words."""
    if value not in allowed:
        raise ValueError(f"expected {name} to be {' or '.join(allowed)}, got {value!r}")
    return value
