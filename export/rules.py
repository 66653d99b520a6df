"""What each function of torch makes of the signals that go into it.

layout       numbers are moved only: the function itself moves their indices
linear       convolutions and matrices of plain, pooled or scaled spikes make a new signal
elementwise  batch norm, sums with and products by constants fold into the map before; a skip of spikes adds a term
the rest     is left to the host, and refused should neurons come after it
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from export import linear_rules
from export.folding import CannotFold, scaled
from export.reasons import reason, what_it_is
from export.refusal import Fault
from export.signals import Mixed, Note, Outside, Signal, Tag, indexed
from export.tracing import CONSTANT, Trace, as_float, note_over, over_time, tensors

_QUIET = {
    *("flatten", "unflatten", "view", "reshape", "view_as", "reshape_as", "squeeze", "unsqueeze", "__getitem__"),
    *("select", "narrow", "index_select", "unbind", "chunk", "split", "tensor_split", "stack", "expand", "expand_as"),
    *("cat", "concat", "concatenate", "unsafe_chunk", "unsafe_split", "unfold", "vstack", "hstack", "dstack"),
    *("transpose", "permute", "swapaxes", "swapdims", "movedim", "moveaxis", "mT", "T", "t", "adjoint"),
}
_MOVING = {"pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "flip", "repeat", "repeat_interleave", "tile", "roll"}
_SAME = {
    *("contiguous", "clone", "detach", "to", "float", "double", "half", "bfloat16", "type", "type_as", "cpu", "cuda"),
    *("data", "requires_grad", "alias", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "identity"),
    *("feature_dropout", "feature_alpha_dropout", "positive", "__pos__"),
}


def follow(trace: Trace, name: str, func: Any, args: Any, kwargs: Any, result: Any, before: dict[int, Any]) -> None:
    """Tag what a function returned; before: tags of its tensors before the call."""
    made = tensors(result)
    if name == "__setitem__":
        _put(trace, args, before)
        return
    if not made:
        return
    inputs = tensors((args, kwargs))
    tagged = [t for t in inputs if isinstance(before[id(t)], Tag)]
    if not tagged:
        if all(before[id(t)] is CONSTANT for t in inputs):
            for t in made:
                if not isinstance(trace.tag(t), Tag):
                    trace.show(t, CONSTANT)
        return
    tags = [before[id(t)] for t in tagged]
    call = Call(trace, name, func, args, kwargs, result, before)
    if any(before[id(t)] is None for t in inputs) and name not in _SAME:
        fault = trace.fault(name, "one of its inputs comes from code that cannot be followed", "use layers of torch")
        _give(trace, made, [trace.refuse(fault)] * len(made))
        return
    _give(trace, made, _made(call, tags, made))


class Call:
    """One call of a function. `get` finds its arguments by name or position, as torch's signatures have them."""

    def __init__(
        self, trace: Trace, name: str, func: Any, args: Any, kwargs: Any, result: Any, before: dict[int, Any]
    ) -> None:
        self.trace, self.name, self.func = trace, name, func
        self.args, self.kwargs, self.result, self.before = args, kwargs, result, before

    def bound(self, *names: str) -> dict[str, Any]:
        values = dict(zip(names, self.args, strict=False))
        return {**values, **{("dim" if k == "axis" else k): v for k, v in self.kwargs.items()}}

    def tag(self, tensor: Any) -> Tag | None:
        found = self.before.get(id(tensor)) if isinstance(tensor, Tensor) else None
        return found if isinstance(found, Tag) else None

    def fault(self) -> Fault:
        what, why, instead = reason(self.name, self.trace.part)
        return self.trace.fault(what, why, instead)

    @property
    def words(self) -> str:
        part = self.trace.part
        alone = part is not None and not list(part.children()) and type(part).__module__.startswith("torch.nn")
        return f"{self.trace.here}: {part}" if alone else f"{self.name} in {self.trace.here}"

    def outside(self, *tags: Tag, fault: Fault | None = None, blame: bool = True) -> Tag:
        """Leave it to the host; blame: refuse it should neurons follow."""
        return self.trace.outside(tags, self.words, (fault or self.fault()) if blame else None, fault)


def _made(call: Call, tags: list[Tag], made: list[Tensor]) -> list[Tag]:
    name = call.name
    if name in _SAME and not _dropping(call):
        return tags[:1] * len(made)
    if name in _QUIET or name in _MOVING or _moves(call):
        return _layout(call, tags, made)
    rule = _RULES.get(name) or linear_rules.RULES.get(name)
    if rule is None:
        return [call.outside(*tags)] * len(made)
    try:
        return [rule(call)] * len(made)
    except CannotFold as problem:
        what = what_it_is(name, call.trace.part)
        return [call.outside(*tags, fault=call.trace.fault(what, problem.why, problem.instead))] * len(made)
    except Mixed:
        what = what_it_is(name, call.trace.part)
        why = "it mixes features, steps or samples in a way that no layer of a chip does"
        fault = call.trace.fault(what, why, "use layers on (T, N, C, H, W) or (T, N, F)")
        return [call.outside(*tags, fault=fault)] * len(made)


def _give(trace: Trace, made: list[Tensor], tags: list[Tag]) -> None:
    for tensor, tag in zip(made, tags, strict=True):
        trace.show(tensor, tag)


def _dropping(call: Call) -> bool:
    given = call.bound("input", "p", "training")
    return "dropout" in call.name and bool(given.get("training", call.name in ("dropout",)))


def _moves(call: Call) -> bool:
    if call.name == "pad":
        given = call.bound("input", "pad", "mode", "value")
        return given.get("mode", "constant") == "constant" and not given.get("value")
    return call.name in ("interpolate", "upsample", "upsample_nearest") and call.bound(
        "input", "size", "scale_factor", "mode"
    ).get("mode", "nearest") in ("nearest", "nearest-exact")


def _layout(call: Call, tags: list[Tag], made: list[Tensor]) -> list[Tag]:
    if call.name.endswith("_as"):
        tags = [tag for tag in (call.tag(call.args[0]),) if tag is not None]
        if not tags:
            return [call.outside(*_tags_of(call))] * len(made)
    if any(isinstance(tag.signal, Outside) for tag in tags):
        loud = call.name not in _QUIET
        joined = call.fault() if len(tags) > 1 else None
        tag = call.trace.outside(tags, call.words if loud else "", None, joined)
        return [tag] * len(made)
    if any(t.signal is not tags[0].signal or t.over != tags[0].over for t in tags):
        return [_joined(call, tags, made[0])] * len(made)
    for tensor in tensors((call.args, call.kwargs)) if not call.name.endswith("_as") else ():
        if tensor.is_floating_point() and call.tag(tensor) is None and bool(tensor.any()):
            return [call.outside(*tags)] * len(made)
    args, kwargs = _numbers(call, call.args), _numbers(call, call.kwargs)
    moved = tensors(call.func(*args, **kwargs))
    notes = (Note(call.words, None),) if call.name not in _QUIET or call.name in ("permute", "transpose") else ()
    return [tags[0].moved(index, *notes) for index in moved]


def _joined(call: Call, tags: list[Tag], made: Tensor) -> Tag:
    """Refuse a concatenation of different layers; what comes after it sees spikes of an unknown one."""
    refused = call.trace.refuse(call.fault())
    for lead in (2, 1):
        if any(tag.signal.real for tag in tags) or tags[0].index.shape[:lead] != made.shape[:lead]:
            continue
        with contextlib.suppress(Mixed):
            rows = call.trace.rows(tags[0], lead).rows
            signal = call.trace.unknown((*(tag.signal for tag in tags),), made.shape[lead:])
            return Tag(signal, indexed(rows, signal.size, tuple(made.shape)))
    return refused


def _tags_of(call: Call) -> list[Tag]:
    return [tag for t in tensors((call.args, call.kwargs)) if (tag := call.tag(t)) is not None]


def _numbers(call: Call, nested: Any) -> Any:
    """Arguments with every followed tensor replaced by its index, and constant zeros by -1."""
    if isinstance(nested, Tensor):
        tag = call.tag(nested)
        if tag is None:
            return torch.full(nested.shape, -1.0, dtype=torch.float64) if nested.is_floating_point() else nested
        return tag.index
    if isinstance(nested, dict):
        return {k: _numbers(call, v) for k, v in nested.items()} | ({"value": -1.0} if call.name == "pad" else {})
    if isinstance(nested, (list, tuple)):
        return type(nested)(_numbers(call, v) for v in nested)
    return nested


def _put(trace: Trace, args: Any, before: dict[int, Any]) -> None:
    """x[key] = value: a preallocated output that is filled step by step."""
    whole, key, value = args
    into, tag = before[id(whole)], before.get(id(value)) if isinstance(value, Tensor) else CONSTANT
    if not isinstance(into, Tag) and not isinstance(tag, Tag):
        return
    known = into if isinstance(into, Tag) else tag
    fits = isinstance(tag, Tag) and (not isinstance(into, Tag) or into.signal is tag.signal)
    if not fits or isinstance(known.signal, Outside):
        parts = [t for t in (into, tag) if isinstance(t, Tag)]
        what, why, instead = reason("__setitem__", trace.part)
        trace.show(whole, trace.outside(parts, "__setitem__", trace.fault(what, why, instead)))
        return
    index = into.index.clone() if isinstance(into, Tag) else torch.full(whole.shape, -1.0, dtype=torch.float64)
    index[key] = tag.index
    trace.show(whole, tag.moved(index))


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


def _mean(call: Call) -> Tag:
    given = call.bound("input", "dim", "keepdim")
    tag, dims = call.tag(given["input"]), given.get("dim")
    if isinstance(tag.signal, Outside) or dims is None:
        return call.outside(tag)
    axes = sorted(d % given["input"].dim() for d in ((dims,) if isinstance(dims, int) else dims))
    if len(axes) == 1 and (zero := over_time(tag, axes[0], call.trace.steps, call.trace.batch)) is not None:
        kind, total = ("mean", 1.0) if call.name == "mean" else ("sum", float(call.trace.steps))
        index = zero.unsqueeze(axes[0]) if given.get("keepdim") else zero
        words = f"the {kind} over the {call.trace.steps} steps"
        return replace(tag, index=index, over=note_over(call.trace, words, total))
    if call.name == "mean" and axes == [given["input"].dim() - 2, given["input"].dim() - 1] and axes[0] >= 2:
        return linear_rules.global_mean(call, tag, given["input"], bool(given.get("keepdim")))
    return call.outside(tag)


def _einsum(call: Call) -> Tag:
    """A weighted sum over the steps, 't,tn...->n...'; anything else is the host's."""
    equation, *operands = call.args
    operands = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    tags = [call.tag(t) for t in operands]
    followed = [t for t in tags if t is not None]
    left, _, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(operands) != 2 or len(followed) != 1 or isinstance(followed[0].signal, Outside):
        return call.outside(*followed)
    at = 0 if tags[0] is not None else 1
    constant, tag = operands[1 - at], tags[at]
    zero = over_time(tag, 0, call.trace.steps, call.trace.batch)
    if zero is None or parts[1 - at] != parts[at][:1] or right != parts[at][1:]:
        return call.outside(tag)
    weights = ", ".join(f"{w:.6g}" for w in constant.detach().double().tolist())
    total = float(constant.detach().double().sum())
    if not total:
        return call.outside(tag)
    return replace(tag, index=zero, over=note_over(call.trace, f"the sum over the steps weighted by {weights}", total))


_RULES: dict[str, Callable[[Call], Tag]] = {
    **dict.fromkeys(("add", "__add__", "__radd__", "__iadd__", "sub", "__sub__", "__isub__", "subtract"), _sum),
    **dict.fromkeys(("rsub", "__rsub__"), _sum),
    **dict.fromkeys(("mul", "__mul__", "__rmul__", "__imul__", "multiply"), _product),
    **dict.fromkeys(("div", "__truediv__", "__itruediv__", "true_divide", "divide"), _quotient),
    **dict.fromkeys(("neg", "__neg__", "negative"), _negative),
    "addcmul": _addcmul,
    "batch_norm": _batch_norm,
    **dict.fromkeys(("mean", "sum"), _mean),
    "einsum": _einsum,
}
