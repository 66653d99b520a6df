"""Convolutions and matrices on plain, pooled, scaled or rearranged spikes: each makes a new signal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from export.assembly import Found
from export.calls import Call
from export.folding import (
    CannotFold,
    chained,
    dense_after,
    gathered,
    placed_conv,
    placed_transpose,
    placement,
    through,
)
from export.network import INPUT, Array, Conv, ConvTranspose, Dense, Shape
from export.running import apply
from export.signals import Copy, Mixed, Outside, Signal, Tag, Term, indexed

_TWO = CannotFold(
    "two linear layers follow one another, and only spikes pass between a chip's layers", "put neurons between"
)


def _conv(call: Call) -> Tag:
    given = call.bound("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    flat = call.name == "conv1d"
    weight = given["weight"].detach().cpu().double()
    stride, dilation = (pair(given.get(k, 1), flat, 1) for k in ("stride", "dilation"))
    spans = [(k - 1) * d + 1 for k, d in zip(_kernel(weight, flat), dilation, strict=True)]
    padding = _padding(given.get("padding", 0), flat, spans)
    conv = Conv(_four(weight, flat), stride, padding, dilation, int(given.get("groups", 1)))
    return _linear(call, given["input"], given.get("bias"), 2 if flat else 3, conv)


def _conv_transpose(call: Call) -> Tag:
    given = call.bound("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
    flat = call.name == "conv_transpose1d"
    weight = given["weight"].detach().cpu().double()
    sizes = {k: pair(given.get(k, default), flat, default) for k, default in (("stride", 1), ("dilation", 1))}
    sizes |= {k: pair(given.get(k, 0), flat, 0) for k in ("padding", "output_padding")}
    conv = ConvTranspose(_four(weight, flat), groups=int(given.get("groups", 1)), **sizes)
    return _linear(call, given["input"], given.get("bias"), 2 if flat else 3, conv)


def _dense(call: Call) -> Tag:
    given = call.bound("input", "weight", "bias")
    return _linear(call, given["input"], given.get("bias"), 1, Dense(given["weight"].detach().cpu().double().numpy()))


def _matmul(call: Call) -> Tag:
    """x @ W of a constant matrix is a dense layer."""
    x, matrix = call.args[:2]
    tags = [t for t in (call.tag(x), call.tag(matrix)) if t is not None]
    if len(tags) != 1 or call.tag(x) is None or matrix.dim() != 2:
        return call.outside(*tags)
    return _linear(call, x, None, 1, Dense(matrix.detach().cpu().double().numpy().T.copy()))


def _linear(call: Call, x: Tensor, bias: Tensor | None, features: int, linear: Conv | ConvTranspose | Dense) -> Tag:
    trace, tag = call.trace, call.tag(x)
    if tag is None:
        raise CannotFold("its weights depend on the input", "use weights that stay")
    if isinstance(tag.signal, Outside):
        return call.outside(tag, blame=False)
    if tag.signal.real:
        raise _TWO
    rows = trace.rows(tag, x.dim() - features)
    gather = rows.gather.numpy()
    out = call.result.shape[x.dim() - features :]
    added = np.zeros(1) if bias is None else bias.detach().cpu().double().numpy()
    if tag.over is not None:
        added = added / tag.over.total
    name = trace.here

    def make() -> Signal:
        return linear_of(
            call, tag.signal, linear, gather, tuple(x.shape[x.dim() - features :]), tuple(out), added, name
        )

    key = (
        call.name,
        tag.signal,
        gather.tobytes(),
        tuple(x.shape[x.dim() - features :]),
        trace.digest(call.args[1] if len(call.args) > 1 else call.kwargs["weight"]),
        added.tobytes(),
        _sizes(linear),
    )
    signal = trace.once(key, make)
    return Tag(signal, indexed(rows.rows, signal.size, tuple(call.result.shape)), (), tag.over)


def linear_of(
    call: Call,
    signal: Signal,
    linear: Conv | ConvTranspose | Dense,
    gather: Array,
    inputs: Shape,
    outputs: Shape,
    added: Array,
    name: str,
) -> Signal:
    """A layer's map of scaled, pooled and rearranged spikes as one map of the spikes; added: its bias."""
    (term,) = signal.terms
    shifts = np.where(gather < 0, 0.0, signal.bias[gather])
    grid = three(inputs) if not isinstance(linear, Dense) else inputs
    bias = through(lambda x: apply(linear, x), shifts, grid)
    per_channel = np.repeat(added, bias.size // added.size)
    shape = three(outputs) if not isinstance(linear, Dense) else outputs
    if isinstance(linear, Dense):
        matrix = gathered(linear.weight, gather, signal.size)
        found = _source(call, term.source)
        source = (found.signal.size,) if isinstance(term.map, Copy) else found.shape
        made: Any = Dense(dense_after(matrix, term.map, source))
    else:
        made = _placed(call, term, linear, gather.reshape(grid), shape)
    return Signal(name, (Term(term.source, made, shape, True),), bias + per_channel)


def _placed(call: Call, term: Term, conv: Conv | ConvTranspose, gather: Array, shape: Shape) -> Conv | ConvTranspose:
    source = _source(call, term.source)
    if isinstance(term.map, Copy):
        place = placement(gather, source.signal.size, source.grid)
        source.laid_out(place.size)
        by_channel = term.map.scale.reshape(source.shape[0], -1)
        if (by_channel != by_channel[:, :1]).any():
            raise CannotFold("its input has one factor a neuron", "scale whole channels")
        channels = source.shape[0]
        placed = (
            placed_conv(conv, place, channels) if isinstance(conv, Conv) else placed_transpose(conv, place, channels)
        )
        return replace(placed, weight=_times_inputs(placed, by_channel[:, 0]))
    if isinstance(conv, ConvTranspose):
        raise CannotFold("it follows average pooling", "put neurons between")
    place = placement(gather, int(np.prod(term.shape)), (term.shape[1], term.shape[2]))
    if place.upsample != (1, 1):
        raise CannotFold("it follows average pooling and upsampling", "put neurons between")
    outer = placed_conv(conv, place, term.shape[0])
    return chained(term.map, outer, source.shape, term.shape, (shape[1], shape[2]))


def _times_inputs(conv: Conv | ConvTranspose, factor: Array) -> Array:
    """The weights with each input channel scaled."""
    if (factor == 1).all():
        return conv.weight
    if isinstance(conv, ConvTranspose):
        return conv.weight * factor.reshape(-1, 1, 1, 1)
    outputs, inputs, *kernel = conv.weight.shape
    blocks = conv.weight.reshape(conv.groups, outputs // conv.groups, inputs, *kernel)
    return (blocks * factor.reshape(conv.groups, 1, inputs, 1, 1)).reshape(conv.weight.shape)


def _source(call: Call, source: int) -> Found:
    return call.trace.source if source == INPUT else call.trace.layers[source]


def _sizes(linear: Any) -> tuple[Any, ...]:
    return tuple(v for k, v in sorted(vars(linear).items()) if k != "weight")


def stated(value: Any) -> bool:
    """Whether an optional size was given."""
    return value is not None and value != () and value != []


def pair(value: Any, flat: bool, other: int) -> tuple[int, int]:
    """Height and width of a size; a one-dimensional layer has it along the width and `other` along the height."""
    values = [int(value)] if isinstance(value, int) else [int(v) for v in value]
    if flat:
        return other, values[0]
    return values[0], values[-1]


def _padding(value: Any, flat: bool, spans: list[int]) -> tuple[int, int, int, int]:
    if isinstance(value, str):
        whole = [s - 1 if value == "same" else 0 for s in spans]
        return whole[0] // 2, whole[0] - whole[0] // 2, whole[1] // 2, whole[1] - whole[1] // 2
    rows, columns = pair(value, flat, 0)
    return rows, rows, columns, columns


def _kernel(weight: Tensor, flat: bool) -> tuple[int, int]:
    return (1, weight.shape[2]) if flat else (weight.shape[2], weight.shape[3])


def _four(weight: Tensor, flat: bool) -> Array:
    return (weight.unsqueeze(2) if flat else weight).numpy().copy()


def three(shape: Shape) -> Shape:
    """(C, H, W) of a shape; one dimension has a height of 1."""
    if len(shape) not in (2, 3):
        raise Mixed
    return shape if len(shape) == 3 else (shape[0], 1, shape[1])


RULES: dict[str, Callable[[Any], Tag]] = {
    **dict.fromkeys(("conv1d", "conv2d"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), _conv_transpose),
    "linear": _dense,
    **dict.fromkeys(("matmul", "__matmul__", "mm"), _matmul),
}
