"""Launches of the kernels in `lif.cu`: what is compiled for a tensor, how many threads, on which stream.

A kernel is compiled by CuPy (NVRTC) when it is first met and kept on disk. Every launch is on torch's current stream
of the tensor's device, takes its numbers by value and waits for nothing, so that CUDA graphs can capture it (after one
call before the capture, which compiles). Memory is torch's throughout.
"""

from __future__ import annotations

import functools
import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

BLOCK = 128  # threads, as in lif.cu
HELD = 32  # membranes that a thread of the backward holds: its neurons times its steps
IO = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
LEAK, DECAY_INPUT, SOFT, DETACH, DIVIDE = 1, 2, 4, 8, 16  # FLAGS in lif.cu
BOX = 7  # SURROGATE of the box in lif.cu
_SOURCE = Path(__file__).with_name("lif.cu")
_OPTIONS = ("-std=c++17", "--fmad=false")


class Neuron(NamedTuple):
    """Constants of a layer, and whether x * neuron(x) is wanted. `tau` is None without leak or where it is learned."""

    gate: bool
    tau: float | None
    decay_input: bool
    threshold: float
    reset: float | None
    detach_reset: bool
    surrogate: int
    """Number in lif.cu."""
    alpha: float
    """Sharpness; of the box 1 / width."""
    offset: float


class Kernel(NamedTuple):
    """A function of lif.cu and the compiler options that make its variant."""

    name: str
    options: tuple[str, ...]


def forward(x: Tensor, start: Tensor | None, share: Tensor | None, out: Tensor, last: Tensor, neuron: Neuron) -> None:
    """Write spikes (or gated values) `out` (T, ...) and the last membrane `last` (...) of currents x (T, ...).

    x and out: float32, float16 or bfloat16, each step a dense row in the same order of memory; x's steps may lie
    anywhere, out's follow one another. start (None: rest) and last: float32 in that order too. share: the learned
    1 / tau, one float32, or None.
    """
    count = last.numel()
    if count == 0:
        return
    width = _width(count, _stride(x), x, start, out, last)
    flags = _flags(neuron, share is not None) & ~DETACH
    kernel = Kernel("lif_forward", _defines(IO=IO[x.dtype], VEC=width, GATE=neuron.gate, FLAGS=flags))
    arrays = map(_pointer, (x, start, share, out, last))
    sizes = (np.int64(count), np.int64(_stride(x)), np.int32(len(x)))
    run(kernel, _blocks(count, width), (*arrays, *sizes, *_numbers(neuron)), x.device)


def backward(
    x: Tensor,
    start: Tensor | None,
    share: Tensor | None,
    above: Tensor,
    above_last: Tensor | None,
    grad_x: Tensor,
    grad_start: Tensor | None,
    neuron: Neuron,
) -> Tensor | None:
    """Write the gradients of x and, where wanted, of `start`; return that of the share (float64) where it is learned.

    above: gradient of `out`, laid out as x may be; above_last: of the last membrane, or None. The rest as in `forward`.
    """
    count, steps, learned = math.prod(x.shape[1:]), len(x), share is not None
    if count == 0:
        return x.new_zeros((), dtype=torch.float64) if learned else None
    chunk = next((c for c in (4, 8) if steps <= c), 16)
    most = HELD // chunk
    strides = math.gcd(_stride(x), _stride(above))
    width = min(_width(count, strides, x, start, above, above_last, grad_x, grad_start), most)
    blocks = _blocks(count, width)
    marks = x.new_empty(((steps - 1) // chunk, count), dtype=torch.float32)
    sums = x.new_empty(blocks, dtype=torch.float32) if learned else None
    options = {"IO": IO[x.dtype], "VEC": width, "GATE": neuron.gate, "FLAGS": _flags(neuron, learned)}
    options |= {"CHUNK": chunk, "SURROGATE": neuron.surrogate, "LEARNED": learned}
    arrays = map(_pointer, (x, start, share, above, above_last, grad_x, grad_start, marks, sums))
    sizes = (np.int64(count), np.int64(_stride(x)), np.int64(_stride(above)), np.int32(steps))
    shape = tuple(map(np.float32, (neuron.alpha, 0.5 / neuron.alpha, neuron.offset)))
    kernel = Kernel("lif_backward", _defines(**options))
    run(kernel, blocks, (*arrays, *sizes, *_numbers(neuron), *shape), x.device)
    return None if sums is None else sums.sum(dtype=torch.float64)


def run(kernel: Kernel, blocks: int, arguments: tuple[Any, ...], device: torch.device) -> None:
    """Launch on the device's current stream; compiles what has not been met before."""
    index = torch.cuda.current_device() if device.index is None else device.index
    with torch.cuda.device(index), _stream(torch.cuda.current_stream(index).cuda_stream, index):
        _compiled(kernel, index)((blocks,), (BLOCK,), arguments)


@functools.cache
def source() -> str:
    """Text of lif.cu."""
    return _SOURCE.read_text(encoding="utf-8")


@functools.cache
def _compiled(kernel: Kernel, index: int) -> Any:
    import cupy

    function = cupy.RawKernel(source(), kernel.name, options=_OPTIONS + kernel.options, backend="nvrtc")
    with warnings.catch_warnings():  # of where CuPy looked for a toolkit
        warnings.simplefilter("ignore")
        function.compile()
    return function


class _Handle:
    """A stream of torch's, as other libraries take it (CUDA stream protocol)."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.handle


@functools.lru_cache(maxsize=64)
def _stream(handle: int, index: int) -> Any:
    import cupy

    if hasattr(cupy.cuda.Stream, "from_external"):  # CuPy 14 and later
        return cupy.cuda.Stream.from_external(_Handle(handle))
    return cupy.cuda.ExternalStream(handle, index)


@functools.lru_cache(maxsize=256)
def _defines(**values: int) -> tuple[str, ...]:
    return tuple(f"-D{name}={int(value)}" for name, value in values.items())


@functools.lru_cache(maxsize=256)
def _flags(neuron: Neuron, learned: bool) -> int:
    divide = neuron.tau is not None and math.frexp(neuron.tau)[0] != 0.5  # else multiplying is as exact
    leak = learned or neuron.tau is not None
    parts = {LEAK: leak, DECAY_INPUT: leak and neuron.decay_input, SOFT: neuron.reset is None, DIVIDE: divide}
    return sum(flag for flag, is_set in (parts | {DETACH: neuron.detach_reset}).items() if is_set)


@functools.lru_cache(maxsize=256)
def _numbers(neuron: Neuron) -> tuple[np.float32, ...]:
    """tau, share, threshold, reset."""
    share = 0.0 if neuron.tau is None else 1.0 / neuron.tau
    return tuple(map(np.float32, (neuron.tau or 0.0, share, neuron.threshold, neuron.reset or 0.0)))


def _stride(t: Tensor) -> int:
    """Values from one step to the next."""
    return t.stride(0) if len(t) > 1 else 0


def _width(count: int, stride: int, *tensors: Tensor | None) -> int:
    """Neurons a thread: the most, of 16 bytes of the first tensor, to whose multiple every row of all is aligned."""
    given = [t for t in tensors if t is not None]
    width = 16 // given[0].element_size()
    while width > 1:
        aligned = all(t.data_ptr() % min(16, width * t.element_size()) == 0 for t in given)
        if aligned and count % width == 0 and stride % width == 0:
            break
        width //= 2
    return width


def _blocks(count: int, width: int) -> int:
    return -(-count // (width * BLOCK))


def _pointer(t: Tensor | None) -> np.uint64:
    return np.uint64(0 if t is None else t.data_ptr())
