"""What each NIR node is among SpikingJelly's layers, where the rules are exact.

At a step of dt, NIR's equations are (v_leak and v_reset the same):

    CubaLIF    c' = c + dt / tau_syn (w_in x - c)      v' = v + dt / tau_mem (v_leak - v + r c')
    LIF        v' = v + dt / tau (v_leak - v + r x)    IF   v' = v + dt r x        fires at v' > v_threshold

A gain other than 1 goes into the threshold; since SpikingJelly fires at its threshold, it gets the next float32 above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from spikingjelly.activation_based import layer, neuron
from torch import nn

from export.network import Shape
from export.nir import NO_LEAK


class Unfit(Exception):
    """A node or graph that is not read; the text goes on after the file's name."""


def _linear(node: Any, shape: Shape, dt: float) -> tuple[nn.Module, Shape]:
    weight = _numbers(node.weight, "weight")
    bias = _numbers(node.bias, "bias") if hasattr(node, "bias") else None
    if weight.ndim != 2 or shape != weight.shape[1:]:
        raise Unfit(f"expected an input of shape {weight.shape[1:]}, the node before it gives {shape}")
    part = layer.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    _fill(part, weight, bias)
    return part, (weight.shape[0],)


def _conv(node: Any, shape: Shape, dt: float) -> tuple[nn.Module, Shape]:
    weight, bias, axes = _numbers(node.weight, "weight"), _numbers(node.bias, "bias"), len(shape) - 1
    if weight.ndim != len(shape) + 1 or axes != (1 if type(node).__name__ == "Conv1d" else 2):
        raise Unfit(f"a kernel of shape {weight.shape} does not go with an input of shape {shape}")
    groups = _whole(node.groups, 1)[0]
    padding = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    if not isinstance(padding, str):
        padding = _whole(padding, axes, 0)
    elif padding not in ("same", "valid"):
        raise Unfit(f"expected a padding in numbers, or same or valid, got {padding!r}")
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
        raise Unfit(f"expected axes of an input of shape {shape}, got {ends[0]} to {ends[1]}")
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
            raise Unfit(f"expected a time constant of at least a step of {dt:g} s, got {steps:g} steps")
        leak = 1 / max(1.0, steps)
        gain = leak * _one(node, "r", shape)
        rest = _one(node, "v_leak", shape)
        if rest != reset:
            raise Unfit(f"expected v_leak and v_reset to be the same, got {rest:g} and {reset:g}")
    decay = 0.0
    if kind == "CubaLIF":
        decay = 1 - dt / _one(node, "tau_syn", shape)
        gain *= (1 - decay) * _one(node, "w_in", shape)
    if gain <= 0 or theta <= reset or not -1e-9 <= decay < 1:
        raise Unfit(f"expected a gain above 0 and a threshold above the reset, got {gain:g} and {theta - reset:g}")
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
            raise Unfit(f"expected r to be 1 / dt = {1 / dt:g}, got {r:g}")
        return neuron.NonSpikingIFNode(), shape
    tau = _one(node, "tau", shape) / dt
    if _one(node, "v_leak", shape) or not tau > 1 or abs(r - 1) > 1e-6:
        raise Unfit(f"expected v_leak 0, tau above {dt:g} s and r 1, got tau {tau * dt:g} and r {r:g}")
    return neuron.NonSpikingLIFNode(tau), shape


MAKERS: dict[str, Callable[[Any, Shape, float], tuple[nn.Module, Shape]]] = {
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
            raise Unfit(f"expected a bias of shape {weight.shape[:1]}, got {bias.shape}")
        part.bias = nn.Parameter(torch.from_numpy(bias))


def _numbers(values: Any, what: str) -> NDArray[np.float64]:
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise Unfit(f"expected {what} in finite numbers, got {'others' if array.dtype.kind in 'iuf' else array.dtype}")
    return array.astype(np.float64)


def _one(node: Any, name: str, shape: Shape) -> float:
    values = _numbers(getattr(node, name), name)
    if values.size != 1 and values.shape != shape:
        raise Unfit(f"expected {name} of shape {shape}, got {values.shape}")
    if not values.size or (values != values.flat[0]).any():
        raise Unfit(f"expected one {name} for all neurons, got values from {values.min():g} to {values.max():g}")
    return float(values.flat[0])


def _whole(values: Any, count: int, least: int = 1) -> Shape:
    array = _numbers(values, "sizes").reshape(-1)
    array = np.repeat(array, count) if array.size == 1 else array
    if array.size != count or (array != np.rint(array)).any() or (array < least).any() or (array > 1 << 20).any():
        raise Unfit(f"expected {count} whole numbers of at least {int(least)} as sizes, got {array.tolist()[:4]}")
    return tuple(int(n) for n in array)
