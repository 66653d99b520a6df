"""Pools: an average folds into the layer after or before it, the largest of spikes is a layer of its own, OR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from export.assembly import Found, plain
from export.calls import Call
from export.folding import CannotFold, chained, pool_as_conv, pooled_dense, through
from export.linear_rules import linear_of, pair, stated, three
from export.network import INPUT, Conv, Dense, Neuron, Shape
from export.running import apply
from export.signals import Copy, Note, Outside, Signal, Tag, Term, indexed

OR = Neuron(leak=1.0, gain=1.0, threshold=0.5)  # fires where any spike came in at this step, and remembers nothing


def _average(call: Call) -> Tag:
    names = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    given = call.bound(*names)
    flat = call.name == "avg_pool1d"
    kernel = pair(given["kernel_size"], flat, 1)
    stride = kernel if not stated(given.get("stride")) else pair(given["stride"], flat, 1)
    before = pair(given.get("padding", 0), flat, 0)
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
    shape = three(tuple(x.shape[lead:]))

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
        made: Any = pooled_dense(term.map, pool, shape)
    elif isinstance(term.map, Conv) and not any(pool.padding) and shape == term.shape:
        made = chained(term.map, pool, (0, 1 << 30, 1 << 30), shape, (size[1], size[2]))
        made = replace(made, padding=(made.padding[0], term.map.padding[1], made.padding[2], term.map.padding[3]))
    else:
        raise CannotFold("it pools a transposed convolution, or with padding", "pool the spikes, after the neuron")
    return Signal(signal.name, (Term(term.source, made, size, True),), bias)


def _maximum(call: Call) -> Tag:
    given = call.bound("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    flat = call.name == "max_pool1d"
    kernel = pair(given["kernel_size"], flat, 1)
    stride = kernel if not stated(given.get("stride")) else pair(given["stride"], flat, 1)
    sizes = pair(given.get("padding", 0), flat, 0), pair(given.get("dilation", 1), flat, 1)
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
    rows, shape = trace.rows(tag, lead), three(tuple(x.shape[lead:]))
    size = three(tuple(call.result.shape[lead:]))
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


RULES: dict[str, Callable[[Any], Tag]] = {
    **dict.fromkeys(("avg_pool1d", "avg_pool2d"), _average),
    **dict.fromkeys(
        ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d"), _adaptive
    ),
    **dict.fromkeys(("max_pool1d", "max_pool2d"), _maximum),
}
