"""Convolutions, matrices and pools on spikes: each makes a new signal, or for max pooling a layer of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from export.assembly import Found, plain
from export.folding import (
    CannotFold,
    chained,
    dense_after,
    gathered,
    placed_conv,
    placed_transpose,
    placement,
    pool_as_conv,
    pooled_dense,
    through,
)
from export.network import INPUT, Array, Conv, ConvTranspose, Dense, Neuron, Shape
from export.running import apply
from export.signals import Copy, Mixed, Note, Outside, Signal, Tag, Term, indexed

if TYPE_CHECKING:
    from export.rules import Call

OR = Neuron(leak=1.0, gain=1.0, threshold=0.5)  # fires where any spike came in at this step, and remembers nothing
_TWO = CannotFold(
    "two linear layers follow one another, and only spikes pass between a chip's layers", "put neurons between"
)


def _conv(call: Call) -> Tag:
    given = call.bound("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    flat = call.name == "conv1d"
    weight = given["weight"].detach().cpu().double()
    stride, dilation = (_pair(given.get(k, 1), flat, 1) for k in ("stride", "dilation"))
    spans = [(k - 1) * d + 1 for k, d in zip(_kernel(weight, flat), dilation, strict=True)]
    padding = _padding(given.get("padding", 0), flat, spans)
    conv = Conv(_four(weight, flat), stride, padding, dilation, int(given.get("groups", 1)))
    return _linear(call, given["input"], given.get("bias"), 2 if flat else 3, conv)


def _conv_transpose(call: Call) -> Tag:
    given = call.bound("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
    flat = call.name == "conv_transpose1d"
    weight = given["weight"].detach().cpu().double()
    sizes = {k: _pair(given.get(k, default), flat, default) for k, default in (("stride", 1), ("dilation", 1))}
    sizes |= {k: _pair(given.get(k, 0), flat, 0) for k in ("padding", "output_padding")}
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
    three = _three(inputs) if not isinstance(linear, Dense) else inputs
    bias = through(lambda x: apply(linear, x), shifts, three)
    per_channel = np.repeat(added, bias.size // added.size)
    shape = _three(outputs) if not isinstance(linear, Dense) else outputs
    if isinstance(linear, Dense):
        matrix = gathered(linear.weight, gather, signal.size)
        found = _source(call, term.source)
        source = (found.signal.size,) if isinstance(term.map, Copy) else found.shape
        made: Any = Dense(dense_after(matrix, term.map, source))
    else:
        made = _placed(call, term, linear, gather.reshape(three), shape)
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


def _average(call: Call) -> Tag:
    names = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    given = call.bound(*names)
    flat = call.name == "avg_pool1d"
    kernel = _pair(given["kernel_size"], flat, 1)
    stride = kernel if not _given(given.get("stride")) else _pair(given["stride"], flat, 1)
    before = _pair(given.get("padding", 0), flat, 0)
    ceil, whole = bool(given.get("ceil_mode")), bool(given.get("count_include_pad", True))
    override = given.get("divisor_override")

    def pool(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, kernel, stride, before, ceil, whole, override)

    return _pooled(call, given["input"], flat, pool, kernel, stride, before)


def _adaptive(call: Call) -> Tag:
    given = call.bound("input", "output_size")
    x, flat = given["input"], call.name.endswith("1d")
    size = call.result.shape[-1:] if flat else call.result.shape[-2:]
    kernel = tuple(a // b for a, b in zip(x.shape[-len(size) :], size, strict=True))
    if any(a % b for a, b in zip(x.shape[-len(size) :], size, strict=True)):
        raise CannotFold("its windows differ in size", "make the input's size a multiple of the output's")
    kernel = (1, *kernel) if flat else kernel
    if "max" in call.name:
        return _largest(call, x, flat, kernel, kernel, (0, 0), (1, 1))
    return _pooled(call, x, flat, lambda t: F.avg_pool2d(t, kernel), kernel, kernel, (0, 0))


def global_mean(call: Call, tag: Tag, x: Tensor, keep: bool) -> Tag:
    """The mean over height and width."""
    kernel = (x.shape[-2], x.shape[-1])
    return _pooled(call, x, False, lambda t: F.avg_pool2d(t, kernel), kernel, kernel, (0, 0))


def _pooled(
    call: Call,
    x: Tensor,
    flat: bool,
    pool: Callable[[Tensor], Tensor],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    before: tuple[int, int],
) -> Tag:
    trace, tag = call.trace, call.tag(x)
    if isinstance(tag.signal, Outside):
        return call.outside(tag, blame=False)
    lead = x.dim() - (2 if flat else 3)
    rows, signal = trace.rows(tag, lead), tag.signal
    shape = _three(tuple(x.shape[lead:]))

    def make() -> Signal:
        conv = pool_as_conv(pool, shape, kernel, stride, (before[0], 0, before[1], 0))
        size = apply(conv, torch.zeros(1, *shape, dtype=torch.float64)).shape[1:]
        gather = rows.gather.numpy()
        if signal.real:
            return _pool_after(signal, conv, rows.plain, shape, tuple(size))
        made = linear_of(call, signal, conv, gather, shape, tuple(size), np.zeros(1), signal.name)
        return Signal(
            made.name, (replace(made.terms[0], weighted=False),), made.bias, (*signal.notes, Note(call.words))
        )

    key = (call.name, signal, rows.gather.numpy().tobytes(), shape, kernel, stride, before)
    made = trace.once(key, make)
    return Tag(made, indexed(rows.rows, made.size, tuple(call.result.shape)), (), tag.over)


def _pool_after(signal: Signal, pool: Conv, plain_rows: bool, shape: Shape, size: Shape) -> Signal:
    """Average pooling of a layer's currents, folded into the layer."""
    (term,) = signal.terms if len(signal.terms) == 1 else (None,)
    if term is None or not plain_rows:
        raise CannotFold("it pools a sum, or rearranged values", "pool before adding")
    bias = through(lambda x: apply(pool, x), signal.bias, shape)
    if isinstance(term.map, Dense):
        made: Any = pooled_dense(term.map, pool, shape, term.shape)
    elif isinstance(term.map, Conv) and not any(pool.padding) and shape == term.shape:
        made = chained(term.map, pool, (0, 1 << 30, 1 << 30), shape, (size[1], size[2]))
        made = replace(made, padding=(made.padding[0], term.map.padding[1], made.padding[2], term.map.padding[3]))
    else:
        raise CannotFold("it pools a transposed convolution, or with padding", "pool the spikes, after the neuron")
    return Signal(signal.name, (Term(term.source, made, size, True),), bias)


def _maximum(call: Call) -> Tag:
    given = call.bound("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    flat = call.name == "max_pool1d"
    kernel = _pair(given["kernel_size"], flat, 1)
    stride = kernel if not _given(given.get("stride")) else _pair(given["stride"], flat, 1)
    sizes = _pair(given.get("padding", 0), flat, 0), _pair(given.get("dilation", 1), flat, 1)
    return _largest(call, given["input"], flat, kernel, stride, *sizes)


def _largest(
    call: Call,
    x: Tensor,
    flat: bool,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    before: tuple[int, int],
    dilation: tuple[int, int],
) -> Tag:
    """Max pooling of spikes is OR: a layer of neurons that fire where any spike came in."""
    trace, tag = call.trace, call.tag(x)
    if isinstance(tag.signal, Outside) or tag.over is not None or not _spikes(call, tag.signal):
        return call.outside(tag)
    lead = x.dim() - (2 if flat else 3)
    rows, shape = trace.rows(tag, lead), _three(tuple(x.shape[lead:]))
    size = _three(tuple(call.result.shape[lead:]))
    weight = np.ones((shape[0], 1, *kernel))
    end = [
        max(0, (size[1 + a] - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + 1 - shape[1 + a] - before[a])
        for a in (0, 1)
    ]
    conv = Conv(weight, stride, (before[0], end[0], before[1], end[1]), dilation, shape[0])
    name = trace.here if trace.part is not None and not list(trace.part.children()) else f"{trace.here}.{call.name}"

    def make() -> Found:
        feeds = linear_of(call, tag.signal, conv, rows.gather.numpy(), shape, size, np.zeros(1), name)
        index = len(trace.layers)
        layer = Found(name, plain(name, index, feeds.size, size), size, True, feeds, OR)
        trace.layers.append(layer)
        return layer

    key = (call.name, tag.signal, rows.gather.numpy().tobytes(), shape, kernel, stride, before, dilation)
    layer = trace.once(key, make)
    return Tag(layer.signal, indexed(rows.rows, layer.signal.size, tuple(call.result.shape)))


def _spikes(call: Call, signal: Signal) -> bool:
    term = signal.terms[0]
    if signal.real or not isinstance(term.map, Copy) or (term.map.scale != 1).any() or signal.bias.any():
        return False
    return term.source != INPUT or call.trace.binary


def _source(call: Call, source: int) -> Found:
    return call.trace.source if source == INPUT else call.trace.layers[source]


def _sizes(linear: Any) -> tuple[Any, ...]:
    return tuple(v for k, v in sorted(vars(linear).items()) if k != "weight")


def _given(value: Any) -> bool:
    return value is not None and value != () and value != []


def _pair(value: Any, flat: bool, other: int) -> tuple[int, int]:
    """Height and width of a size; a one-dimensional layer has it along the width and `other` along the height."""
    values = [int(value)] if isinstance(value, int) else [int(v) for v in value]
    if flat:
        return other, values[0]
    return values[0], values[-1]


def _padding(value: Any, flat: bool, spans: list[int]) -> tuple[int, int, int, int]:
    if isinstance(value, str):
        whole = [s - 1 if value == "same" else 0 for s in spans]
        return whole[0] // 2, whole[0] - whole[0] // 2, whole[1] // 2, whole[1] - whole[1] // 2
    rows, columns = _pair(value, flat, 0)
    return rows, rows, columns, columns


def _kernel(weight: Tensor, flat: bool) -> tuple[int, int]:
    return (1, weight.shape[2]) if flat else (weight.shape[2], weight.shape[3])


def _four(weight: Tensor, flat: bool) -> Array:
    return (weight.unsqueeze(2) if flat else weight).numpy().copy()


def _three(shape: Shape) -> Shape:
    if len(shape) not in (2, 3):
        raise Mixed
    return shape if len(shape) == 3 else (shape[0], 1, shape[1])


RULES: dict[str, Callable[[Any], Tag]] = {
    **dict.fromkeys(("conv1d", "conv2d"), _conv),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), _conv_transpose),
    "linear": _dense,
    **dict.fromkeys(("matmul", "__matmul__", "mm"), _matmul),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d"), _average),
    **dict.fromkeys(
        ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d"), _adaptive
    ),
    **dict.fromkeys(("max_pool1d", "max_pool2d"), _maximum),
}
