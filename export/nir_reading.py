"""NIR files, ours or another framework's, as modules of SpikingJelly's layers, where the rules are exact.

At a step of dt, NIR's equations are (v_leak and v_reset the same):

    CubaLIF    c' = c + dt / tau_syn (w_in x - c)      v' = v + dt / tau_mem (v_leak - v + r c')
    LIF        v' = v + dt / tau (v_leak - v + r x)    IF   v' = v + dt r x        fires at v' > v_threshold

A gain other than 1 goes into the threshold; since SpikingJelly fires at its threshold, it gets the next float32 above.
Only straight chains of nodes that say the same in SpikingJelly are read; any other node is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn

from export.hdf5_check import check_hdf5
from export.nir import DT, NO_LEAK, nir_package

LARGEST = 1 << 28  # values of one layer
Shape = tuple[int, ...]


class NIRModule(nn.Module):
    """input_shape of one step, x: (T, N, *input_shape) spikes -> (T, N, *output_shape); membranes start at rest.

    ones: whether the nodes want a last channel of ones; places: where the outputs lie among the last node's.
    """

    def __init__(
        self, body: nn.Sequential, input_shape: Shape, frame: Shape, ones: bool, places: Tensor | None, shape: Shape
    ) -> None:
        super().__init__()
        self.body, self.input_shape, self.frame, self.ones = body, input_shape, frame, ones
        self.output_shape = shape
        self.register_buffer("places", places)

    def forward(self, x: Tensor) -> Tensor:
        functional.reset_net(self.body)
        x = x.reshape(*x.shape[:2], *self.frame)
        if self.ones:
            x = torch.cat([x, torch.ones_like(x[:, :, :1])], 2)
        y = self.body(x)
        y = torch.stack(y) if isinstance(y, list) else y  # SpikingJelly's membranes come step by step
        if self.places is not None:
            y = y.flatten(2)[:, :, self.places]
        return y.reshape(*y.shape[:2], *self.output_shape)


def read_nir(path: str | Path, dt: float | None = None, dtype: torch.dtype = torch.float32) -> NIRModule:
    """The network in a NIR file.

    dt: seconds a step; without it the file's own, or 1e-4. Raises ValueError, one sentence that names the node, for
    what SpikingJelly would not run to the same spikes, and for a file that is no NIR.
    """
    path = Path(path)
    check_hdf5(path)
    nir = nir_package()
    try:
        graph = nir.read(path, type_check=False)
        if not isinstance(graph, nir.NIRGraph):
            raise TypeError(f"its root is {type(graph).__name__}")
    except Exception as error:  # whatever another's parser meets in a stranger's file
        reason = " ".join(str(error).split())[:120]
        raise ValueError(
            f"{path}: expected a NIR graph, {type(error).__name__} on reading it ({reason}); write it again"
        ) from error
    try:
        return _module(graph, dt, dtype)
    except _Unfit as unfit:
        raise ValueError(f"{path}: {unfit}") from None


class _Unfit(Exception):
    """A node or graph that is not read; the text goes on after the file's name."""


def _module(graph: Any, dt: float | None, dtype: torch.dtype) -> NIRModule:
    chain = _chain(graph)
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    dt = _seconds(metadata.get("dt", DT)) if dt is None else _seconds(dt)
    first = shape = _shape(chain[0][1].input_type, chain[0][0])
    parts = nn.Sequential()
    for name, node in chain[1:-1]:
        kind = type(node).__name__
        make = _MAKERS.get(kind)
        if parts and isinstance(parts[-1], (neuron.NonSpikingIFNode, neuron.NonSpikingLIFNode)):
            raise _Unfit(f"node {name}: expected membranes only as the output, they go on to it; write spiking neurons")
        if make is None:
            raise _Unfit(f"node {name} is a {kind}, which no layer of ours equals; known are {', '.join(_MAKERS)}")
        try:
            part, shape = make(node, shape, dt)
        except _Unfit as unfit:
            raise _Unfit(f"node {name} ({kind}): {unfit}") from None
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
            reason = " ".join(str(error).split())[:120]
            raise _Unfit(f"node {name} ({kind}) does not fit what comes before it ({reason}); write it again") from None
        if int(np.prod(shape)) > LARGEST:
            raise _Unfit(f"node {name} ({kind}): expected up to {LARGEST:,} outputs, got {int(np.prod(shape)):,}")
        parts.add_module(f"{len(parts)}_{name.replace('.', '_')}", part)
    functional.set_step_mode(parts, "m")
    return _around(parts.to(dtype), metadata, first, shape)


def _around(parts: nn.Sequential, metadata: dict[str, Any], first: Shape, last: Shape) -> NIRModule:
    """What our own files say of the shapes outside; others have those of their nodes."""
    if "output_places" not in metadata:
        return NIRModule(parts, first, first, False, None, last)
    try:
        ones = bool(metadata["input_ones"])
        inside, outside = (tuple(int(n) for n in metadata[key]) for key in ("input_shape", "output_shape"))
        places = np.asarray(metadata["output_places"]).astype(np.int64)
        frame = (first[0] - ones, *first[1:])
        fits = int(np.prod(inside)) == int(np.prod(frame)) and len(places) == int(np.prod(outside))
        fits = fits and min(inside) > 0 and places.min() >= 0 and places.max() < int(np.prod(last))
    except (KeyError, TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise _Unfit("its metadata do not fit its nodes; write it again")
    straight = np.array_equal(places, np.arange(int(np.prod(last))))
    return NIRModule(parts, inside, frame, ones, None if straight else torch.from_numpy(places), outside)


def _chain(graph: Any) -> list[tuple[str, Any]]:
    """Nodes from the input to the output, each with one before and one after it."""
    follows: dict[str, list[str]] = {name: [] for name in graph.nodes}
    before = dict.fromkeys(graph.nodes, 0)
    for source, target in graph.edges:
        if source not in follows or target not in follows:
            raise _Unfit(f"expected edges between its nodes, {source!r} to {target!r} is none; write it again")
        follows[source].append(target)
        before[target] += 1
    for kind in ("Input", "Output"):
        count = sum(type(node).__name__ == kind for node in graph.nodes.values())
        if count != 1:
            raise _Unfit(f"expected one {kind} node, got {count}; write one network a file")
    name = next(name for name, node in graph.nodes.items() if type(node).__name__ == "Input")
    chain = [(name, graph.nodes[name])]
    while type(graph.nodes[name]).__name__ != "Output":
        if len(follows[name]) != 1 or before[follows[name][0]] != 1 or len(chain) > len(graph.nodes):
            raise _Unfit(f"expected a straight chain of nodes, it branches or ends at {name}; write one without skips")
        name = follows[name][0]
        chain.append((name, graph.nodes[name]))
    if len(chain) != len(graph.nodes):
        left = next(other for other in graph.nodes if other not in dict(chain))
        raise _Unfit(f"expected every node on the way from input to output, {left} is not; remove it")
    return chain


def _linear(node: Any, shape: Shape, dt: float) -> tuple[nn.Module, Shape]:
    weight = _numbers(node.weight, "weight")
    bias = _numbers(node.bias, "bias") if hasattr(node, "bias") else None
    if weight.ndim != 2 or shape != weight.shape[1:]:
        raise _Unfit(f"expected an input of shape {weight.shape[1:]}, the node before it gives {shape}")
    part = layer.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    _fill(part, weight, bias)
    return part, (weight.shape[0],)


def _conv(node: Any, shape: Shape, dt: float) -> tuple[nn.Module, Shape]:
    weight, bias, axes = _numbers(node.weight, "weight"), _numbers(node.bias, "bias"), len(shape) - 1
    if weight.ndim != len(shape) + 1 or axes != (1 if type(node).__name__ == "Conv1d" else 2):
        raise _Unfit(f"a kernel of shape {weight.shape} does not go with an input of shape {shape}")
    groups = _whole(node.groups, 1)[0]
    padding = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    if not isinstance(padding, str):
        padding = _whole(padding, axes, 0)
    elif padding not in ("same", "valid"):
        raise _Unfit(f"expected a padding in numbers, or same or valid, got {padding!r}")
    sizes = (_whole(node.stride, axes), padding, _whole(node.dilation, axes))
    kernel = torch.empty(weight.shape, device="meta")
    run = nn.functional.conv1d if axes == 1 else nn.functional.conv2d
    out = run(torch.empty(1, *shape, device="meta"), kernel, None, *sizes, groups)
    kind = layer.Conv1d if axes == 1 else layer.Conv2d
    part = kind(shape[0], weight.shape[0], weight.shape[2:], *sizes, groups)
    _fill(part, weight, bias)
    return part, tuple(out.shape[1:])


def _pool(node: Any, shape: Shape, dt: float) -> tuple[nn.Module, Shape]:
    kernel, stride = (_whole(values, 2) for values in (node.kernel_size, node.stride))
    padding = _whole(node.padding, 2, 0)
    divisor = 1 if type(node).__name__ == "SumPool2d" else None
    out = nn.functional.avg_pool2d(torch.empty(1, *shape, device="meta"), kernel, stride, padding)
    return layer.AvgPool2d(kernel, stride, padding, divisor_override=divisor), tuple(out.shape[1:])


def _flatten(node: Any, shape: Shape, dt: float) -> tuple[nn.Module, Shape]:
    ends = [int(end) for end in (node.start_dim, node.end_dim)]
    if not all(-len(shape) <= end < len(shape) for end in ends):
        raise _Unfit(f"expected axes of an input of shape {shape}, got {ends[0]} to {ends[1]}")
    ends = [end % len(shape) for end in ends]
    out = torch.empty(shape, device="meta").flatten(*ends).shape
    return layer.Flatten(ends[0] + 1, ends[1] + 1), tuple(out)


def _firing(node: Any, shape: Shape, dt: float) -> tuple[nn.Module, Shape]:
    kind = type(node).__name__
    theta, reset = _one(node, "v_threshold", shape), _one(node, "v_reset", shape)
    if kind == "IF":
        leak, gain = 0.0, dt * _one(node, "r", shape)
    else:
        steps = _one(node, "tau_mem" if kind == "CubaLIF" else "tau", shape) / dt
        if not steps >= 1 - 1e-9:
            raise _Unfit(f"expected a time constant of at least a step of {dt:g} s, got {steps:g} steps")
        leak = 1 / max(1.0, steps)
        gain = leak * _one(node, "r", shape)
        rest = _one(node, "v_leak", shape)
        if rest != reset:
            raise _Unfit(f"expected v_leak and v_reset to be the same, got {rest:g} and {reset:g}")
    decay = 0.0
    if kind == "CubaLIF":
        decay = 1 - dt / _one(node, "tau_syn", shape)
        gain *= (1 - decay) * _one(node, "w_in", shape)
    if gain <= 0 or theta <= reset or not -1e-9 <= decay < 1:
        raise _Unfit(f"expected a gain above 0 and a threshold above the reset, got {gain:g} and {theta - reset:g}")
    gain = 1.0 if abs(gain - 1) < 1e-9 else gain
    level = float(np.nextafter(np.float32((theta - reset) / gain), np.float32(np.inf)))
    if decay > 1e-9:
        return neuron.CUBALIFNode(decay, 1 - leak, level, 0.0), shape
    if leak <= 1 / NO_LEAK * (1 + 1e-6):
        return neuron.IFNode(level, 0.0), shape
    if leak > 1 - 1e-9:
        return neuron.LIFNode(1.0 + 1e-12, False, level, 0.0), shape
    return neuron.LIFNode(1 / leak, False, level, 0.0), shape


def _silent(node: Any, shape: Shape, dt: float) -> tuple[nn.Module, Shape]:
    r = _one(node, "r", shape)
    if type(node).__name__ == "I":
        if abs(r * dt - 1) > 1e-6:
            raise _Unfit(f"expected r to be 1 / dt = {1 / dt:g}, got {r:g}")
        return neuron.NonSpikingIFNode(), shape
    tau = _one(node, "tau", shape) / dt
    if _one(node, "v_leak", shape) or not tau > 1 or abs(r - 1) > 1e-6:
        raise _Unfit(f"expected v_leak 0, tau above {dt:g} s and r 1, got tau {tau * dt:g} and r {r:g}")
    return neuron.NonSpikingLIFNode(tau), shape


_MAKERS: dict[str, Callable[[Any, Shape, float], tuple[nn.Module, Shape]]] = {
    "Linear": _linear,
    "Affine": _linear,
    "Conv1d": _conv,
    "Conv2d": _conv,
    "SumPool2d": _pool,
    "AvgPool2d": _pool,
    "Flatten": _flatten,
    "IF": _firing,
    "LIF": _firing,
    "CubaLIF": _firing,
    "LI": _silent,
    "I": _silent,
}


def _fill(part: Any, weight: NDArray[Any], bias: NDArray[Any] | None) -> None:
    part.weight = nn.Parameter(torch.from_numpy(weight))
    if bias is not None:
        if bias.shape != weight.shape[:1]:
            raise _Unfit(f"expected a bias of shape {weight.shape[:1]}, got {bias.shape}")
        part.bias = nn.Parameter(torch.from_numpy(bias))


def _numbers(values: Any, what: str) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise _Unfit(f"expected {what} in finite numbers, got {'others' if array.dtype.kind in 'iuf' else array.dtype}")
    return array.astype(np.float64)


def _one(node: Any, name: str, shape: Shape) -> float:
    values = _numbers(getattr(node, name), name)
    if values.size != 1 and values.shape != shape:
        raise _Unfit(f"expected {name} of shape {shape}, got {values.shape}")
    if not values.size or (values != values.flat[0]).any():
        raise _Unfit(f"expected one {name} for all neurons, got values from {values.min():g} to {values.max():g}")
    return float(values.flat[0])


def _whole(values: Any, count: int, least: int = 1) -> Shape:
    array = _numbers(values, "sizes").reshape(-1)
    array = np.repeat(array, count) if array.size == 1 else array
    if array.size != count or (array != np.rint(array)).any() or (array < least).any() or (array > 1 << 20).any():
        raise _Unfit(f"expected {count} whole numbers of at least {int(least)} as sizes, got {array.tolist()[:4]}")
    return tuple(int(n) for n in array)


def _shape(types: Any, name: str) -> Shape:
    values = types.get("input") if isinstance(types, dict) else None
    array = np.asarray(values if values is not None else [0])
    if array.ndim != 1 or array.dtype.kind not in "iu" or not array.size or (array < 1).any() or array.size > 4:
        raise _Unfit(f"node {name}: expected a shape in whole numbers above 0, got {str(values)[:60]}")
    shape = tuple(int(n) for n in array)
    if int(np.prod(shape, dtype=object)) > LARGEST:
        raise _Unfit(f"node {name}: expected up to {LARGEST:,} inputs, got {shape}")
    return shape


def _seconds(dt: Any) -> float:
    value = float(np.asarray(dt, np.float64).reshape(-1)[0])
    if not 0 < value < np.inf:
        raise _Unfit(f"expected a step dt above 0 seconds, got {value:g}")
    return value
