"""Functions that only move numbers: their indices move the same way."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor

from export.calls import Call
from export.reasons import reason
from export.signals import Mixed, Note, Outside, Tag, indexed
from export.tracing import CONSTANT, Trace, tensors

_QUIET = {
    *("flatten", "unflatten", "view", "reshape", "view_as", "reshape_as", "squeeze", "unsqueeze", "__getitem__"),
    *("select", "narrow", "index_select", "unbind", "chunk", "split", "tensor_split", "stack", "expand", "expand_as"),
    *("cat", "concat", "concatenate", "unsafe_chunk", "unsafe_split", "unfold", "vstack", "hstack", "dstack"),
    *("transpose", "permute", "swapaxes", "swapdims", "movedim", "moveaxis", "mT", "T", "t", "adjoint"),
}
_MOVING = {"pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "flip", "repeat", "repeat_interleave", "tile", "roll"}


def moves(call: Call) -> bool:
    """Whether the function only moves numbers, pads with zeros or repeats pixels."""
    if call.name in _QUIET or call.name in _MOVING:
        return True
    if call.name == "pad":
        given = call.bound("input", "pad", "mode", "value")
        return given.get("mode", "constant") == "constant" and not given.get("value")
    return call.name in ("interpolate", "upsample", "upsample_nearest") and call.bound(
        "input", "size", "scale_factor", "mode"
    ).get("mode", "nearest") in ("nearest", "nearest-exact")


def layout(call: Call, tags: list[Tag], made: list[Tensor]) -> list[Tag]:
    """The tags of what it returned: the function itself, applied to the indices."""
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


def put(trace: Trace, args: Any, before: dict[int, Any]) -> None:
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
