"""Whether samples are of the shape that a network takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from export.network import Shape


def fits(given: Sequence[int], shape: Shape) -> bool:
    """Whether (T, N, ...) holds steps of that shape: as it is, flat, or without its axes of size 1 (a Conv1d's rows).

    Never with the same number of values in another shape, whose axes would be taken for others.
    """
    if len(given) < 3 or 0 in given or math.prod(given[2:]) != math.prod(shape):
        return False
    one, other = ([size for size in sizes if size != 1] for sizes in (given[2:], shape))
    return one == other or len(given) == 3 or len(shape) == 1
