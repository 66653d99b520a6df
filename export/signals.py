"""What a tensor stands for while a module is read: a linear function of spikes, or something for the host.

Every tensor that depends on the input carries a Tag: which signal it shows, and for each of its entries which entry of
the signal that is. A signal has F features at each of T steps and N samples; entry (t, n, f) has the number
(t N + n) F + f, and -1 is a constant zero. Operations that only move numbers (views, slices, stacks, zero padding,
nearest upsampling) are applied to these numbers as they are, so that none of them needs a rule of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from export.network import Array, Map, Shape
from export.refusal import Fault


@dataclass(frozen=True, eq=False)
class Copy:
    """The spikes themselves, each times its scale (F,)."""

    scale: Array


@dataclass(frozen=True, eq=False)
class Term:
    """A linear map of the spikes of layer `source`. shape: of its output; weighted: it is more than a pooled copy."""

    source: int
    map: Map | Copy
    shape: Shape
    weighted: bool


@dataclass(frozen=True)
class Note:
    """One thing that the host does, in words; fault: why the chip cannot, should neurons follow."""

    words: str
    fault: Fault | None = None


@dataclass(frozen=True, eq=False)
class Signal:
    """The sum of the terms plus bias (F,). name: of the layer that made it; notes: what was done to plain spikes."""

    name: str
    terms: tuple[Term, ...]
    bias: Array
    notes: tuple[Note, ...] = ()

    @property
    def size(self) -> int:
        return len(self.bias)

    @property
    def real(self) -> bool:
        """Real-valued: more than spikes that were scaled or pooled."""
        return any(term.weighted for term in self.terms) or len(self.terms) > 1


@dataclass(frozen=True, eq=False)
class Outside:
    """Made from one signal in a way that the chip cannot; base None: already refused."""

    base: Signal | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class OverTime:
    """Steps were added up with weights whose sum is `total`."""

    note: Note
    total: float


@dataclass(frozen=True, eq=False)
class Tag:
    """What a tensor shows. index: like the tensor, float64, see above; None for an Outside.

    moves: words for what rearranged the features; over: set where the steps were added up (then index is of step 0).
    """

    signal: Signal | Outside
    index: Tensor | None = None
    moves: tuple[Note, ...] = ()
    over: OverTime | None = None

    def moved(self, index: Tensor, *notes: Note) -> Tag:
        return replace(self, index=index, moves=(*self.moves, *notes))


class Mixed(Exception):
    """Rows of a tensor are not one step of one sample each."""


@dataclass(frozen=True, eq=False)
class Rows:
    """rows: (R,) int64, t N + n of each; gather: (Q,) int64, the signal's feature behind each of a row's, or -1."""

    rows: Tensor
    gather: Tensor = field(repr=False)

    @property
    def plain(self) -> bool:
        return bool((self.gather == torch.arange(len(self.gather))).all())


def first(rows: int, size: int, shape: tuple[int, ...]) -> Tensor:
    """The index of a tensor (rows..., *features) that shows a signal as it is; shape: of the tensor."""
    return torch.arange(rows * size, dtype=torch.float64).reshape(shape)


def rows_of(index: Tensor, lead: int, size: int) -> Rows:
    """The rows of a tensor whose first `lead` axes are steps and samples. Raises Mixed where they are not."""
    table = index.reshape(int(np.prod(index.shape[:lead])), -1)
    if not table.numel():
        raise Mixed
    rows = torch.div(table.amax(1), size, rounding_mode="floor")
    gather = table - rows[:, None] * size
    zero = table < 0
    if (rows < 0).any() or ((gather < 0) & ~zero).any():
        raise Mixed
    gather[zero] = -1.0
    if (gather != gather[0]).any():
        raise Mixed
    return Rows(rows.long(), gather[0].long())


def indexed(rows: Tensor, size: int, shape: tuple[int, ...]) -> Tensor:
    """The index of a tensor of that shape whose rows show whole rows of a signal of `size` features."""
    return (rows[:, None].double() * size + torch.arange(size, dtype=torch.float64)).reshape(shape)
