"""Batch norms, sums with and products by constants fold into the map before; a skip of spikes is one more term."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from export.calls import Call
from export.folding import CannotFold, scaled
from export.signals import Note, Outside, Signal, Tag
from export.tracing import Trace, as_float, note_over


def affine(call: Call, tag: Tag, factor: Tensor | None, shift: Tensor | None) -> Tag:
    """factor x + shift, both like x, of one signal. Raises CannotFold."""
    trace, signal = call.trace, tag.signal
    if isinstance(signal, Outside):
        return call.outside(tag, blame=False)
    size = signal.size
    known = tag.index >= 0
    if shift is not None and shift[~known].any():
        raise CannotFold("it shifts the zeros of a padding", "shift before padding")
    entry = (tag.index[known] % size).long()
    scale, offset = (_per_feature(v, entry, known, size, zero) for v, zero in ((factor, 1.0), (shift, 0.0)))
    if tag.over is not None:
        offset = offset / tag.over.total
    if (scale == 1).all() and not offset.any():
        return tag

    def make() -> Signal:
        terms = tuple(replace(t, map=scaled(t.map, t.shape, scale)) for t in signal.terms)
        notes = () if signal.real else (*signal.notes, Note(call.words))
        name = trace.here if isinstance(trace.part, _BatchNorm) and not signal.real else signal.name
        return Signal(name, terms, signal.bias * scale + offset, notes)

    return replace(tag, signal=trace.once(("affine", signal, scale.tobytes(), offset.tobytes()), make))


def _per_feature(values: Tensor | None, entry: Tensor, known: Tensor, size: int, default: float) -> np.ndarray:
    out = torch.full((size,), default, dtype=torch.float64)
    if values is not None:
        out[entry] = values[known]
        if (out[entry] != values[known]).any():
            raise CannotFold("its numbers differ from step to step or sample to sample", "use the same for every step")
    return out.numpy()


def _sum(call: Call) -> Tag:
    given = call.bound("input", "other")
    a, b = given["input"], given["other"]
    alpha = float(given.get("alpha", 1.0))
    if call.name in ("sub", "__sub__", "__isub__", "subtract"):
        alpha = -alpha
    if call.name in ("rsub", "__rsub__"):
        a, b, alpha = b, a, -alpha
    return _added(call, a, b, alpha)


def _added(call: Call, a: Any, b: Any, alpha: float = 1.0) -> Tag:
    """a + alpha b."""
    first, second = call.tag(a), call.tag(b)
    like = call.result
    if second is None:
        return affine(call, first, None, alpha * as_float(b, like))
    if first is None:
        return affine(call, second, torch.full(like.shape, alpha, dtype=torch.float64), as_float(a, like))
    if alpha != 1.0 and isinstance(second.signal, Signal):
        second = affine(call, second, torch.full(b.shape, alpha, dtype=torch.float64), None)
    return added(call, first, second)


def added(call: Call, a: Tag, b: Tag) -> Tag:
    """The sum of two followed tensors: steps of one signal, or real-valued currents and a skip of spikes."""
    trace = call.trace
    if isinstance(a.signal, Outside) or isinstance(b.signal, Outside):
        return _refused_sum(call, a, b, "real values")
    if a.signal is b.signal and (total := _accumulated(trace, a, b)) is not None:
        return total
    if a.signal.real == b.signal.real:
        refused = _refused_sum(call, a, b, "real values" if a.signal.real else "several neurons' outputs")
        if a.signal.real:
            return refused
        return replace(a, signal=call.trace.unknown((a.signal, b.signal), (a.signal.size,)))
    same = a.over == b.over and a.index.shape == b.index.shape and a.signal.size == b.signal.size
    if not same or (a.index != b.index).any():
        raise CannotFold("its summands are arranged differently", "add maps of the same shape, neuron by neuron")
    real, spikes = (a, b) if a.signal.real else (b, a)

    def make() -> Signal:
        terms = (*real.signal.terms, *spikes.signal.terms)
        return Signal(real.signal.name, terms, real.signal.bias + spikes.signal.bias)

    return replace(real, signal=trace.once(("sum", real.signal, spikes.signal), make))


def _refused_sum(call: Call, a: Tag, b: Tag, of: str) -> Tag:
    why = "the chip adds spikes in a neuron, and passes on only whether it fires"
    fault = call.trace.fault(f"a sum of {of}", why, "add spikes to the input of a later neuron: LIF(conv(s1) + s0)")
    return call.trace.outside((a, b), call.words, fault)


def _accumulated(trace: Trace, a: Tag, b: Tag) -> Tag | None:
    """x[0] + x[1] + ...: the sum over the steps that a loop adds up."""
    if a.index.shape != b.index.shape or b.over is not None:
        return None
    step = trace.batch * a.signal.size
    start, now = (torch.where(t.index < 0, t.index, t.index % step) for t in (a, b))
    if (start != now).any() or (a.over is None and (a.index == b.index).all()):
        return None
    total = (a.over.total if a.over else 1.0) + 1.0
    return replace(a, index=start, over=note_over(trace, f"the sum over {total:g} steps", total))


def _product(call: Call) -> Tag:
    given = call.bound("input", "other")
    a, b = given["input"], given["other"]
    first, second = call.tag(a), call.tag(b)
    if first is not None and second is not None:
        return call.outside(first, second)
    followed, constant = (first, b) if first is not None else (second, a)
    return affine(call, followed, as_float(constant, call.result), None)


def _quotient(call: Call) -> Tag:
    given = call.bound("input", "other")
    tag = call.tag(given["input"])
    if tag is None or call.tag(given["other"]) is not None or given.get("rounding_mode"):
        return call.outside(*[t for t in (tag, call.tag(given["other"])) if t])
    return affine(call, tag, 1.0 / as_float(given["other"], call.result), None)


def _negative(call: Call) -> Tag:
    return affine(call, call.tag(call.args[0]), torch.full(call.result.shape, -1.0, dtype=torch.float64), None)


def _addcmul(call: Call) -> Tag:
    given = call.bound("input", "tensor1", "tensor2", "value")
    value, a, b = float(given.get("value", 1.0)), given["tensor1"], given["tensor2"]
    first, second = call.tag(a), call.tag(b)
    if first is not None and second is not None:
        return call.outside(first, second, *[t for t in (call.tag(given["input"]),) if t])
    followed, like, constant = (first, a, b) if first is not None else (second, b, a)
    start = call.tag(given["input"])
    if followed is None:
        shift = value * as_float(a, call.result) * as_float(b, call.result)
        return affine(call, start, None, shift)
    factor = value * as_float(constant, like)
    product = affine(call, followed, factor, None)
    if start is None:
        return affine(call, product, None, as_float(given["input"], call.result))
    return added(call, start, product)


def _batch_norm(call: Call) -> Tag:
    given = call.bound(*("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"))
    x, mean, var = given["input"], given["running_mean"], given["running_var"]
    if given.get("training") or mean is None:
        raise CannotFold("it uses the mean and variance of the batch", "keep running statistics (track_running_stats)")
    along = (1, -1, *[1] * (x.dim() - 2))
    mean, var = (v.detach().cpu().double() for v in (mean, var))
    factor = torch.rsqrt(var + float(given.get("eps", 1e-5)))
    if given.get("weight") is not None:
        factor = factor * given["weight"].detach().cpu().double()
    shift = -mean * factor
    if given.get("bias") is not None:
        shift = shift + given["bias"].detach().cpu().double()
    return affine(call, call.tag(x), factor.view(along).expand(x.shape), shift.view(along).expand(x.shape))


RULES: dict[str, Callable[[Call], Tag]] = {
    **dict.fromkeys(("add", "__add__", "__radd__", "__iadd__", "sub", "__sub__", "__isub__", "subtract"), _sum),
    **dict.fromkeys(("rsub", "__rsub__"), _sum),
    **dict.fromkeys(("mul", "__mul__", "__rmul__", "__imul__", "multiply"), _product),
    **dict.fromkeys(("div", "__truediv__", "__itruediv__", "true_divide", "divide"), _quotient),
    **dict.fromkeys(("neg", "__neg__", "negative"), _negative),
    "addcmul": _addcmul,
    "batch_norm": _batch_norm,
}
