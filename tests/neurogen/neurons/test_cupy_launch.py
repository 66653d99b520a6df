"""What the launch code hands to CuPy, by a stand-in that records it; and NVRTC's word on the source where CuPy is."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neurogen.neurons import launch
from neurogen.neurons.launch import BOX, Kernel, Neuron

NEURON = Neuron(False, 2.0, True, 0.5, -0.25, True, 2, 3.0, 0.0)
TYPES = {"Size": np.int64, "int": np.int32, "float": np.float32}


@dataclass
class Recorder:
    """A module like cupy: what was compiled, and each launch with the stream and device that it met."""

    compiled: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    launches: list[dict[str, Any]] = field(default_factory=list)
    stream: int | None = None
    device: int | None = None

    def module(self) -> types.ModuleType:
        recorder = self

        class RawKernel:
            def __init__(self, code: str, name: str, options: tuple[str, ...], backend: str) -> None:
                assert "__global__" in code
                assert backend == "nvrtc"
                self.name, self.options = name, options

            def compile(self) -> None:
                recorder.compiled.append((self.name, self.options))

            def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
                where = {"stream": recorder.stream, "device": recorder.device}
                recorder.launches.append({"grid": grid, "block": block, "arguments": arguments} | where)

        class Stream:
            @staticmethod
            def from_external(handle: Any) -> Any:
                version, pointer = handle.__cuda_stream__()
                assert version == 0
                return recorder.set("stream", pointer)

        cupy = types.ModuleType("cupy")
        cupy.RawKernel = RawKernel  # type: ignore[attr-defined]
        cupy.cuda = types.SimpleNamespace(Stream=Stream)  # type: ignore[attr-defined]
        return cupy

    @contextmanager
    def _set(self, name: str, value: int) -> Iterator[None]:
        setattr(self, name, value)
        yield
        setattr(self, name, None)

    def set(self, name: str, value: int) -> Any:
        """A context that can be entered again and again."""
        recorder = self

        class Context:
            def __enter__(self) -> None:
                self.inner = recorder._set(name, value)
                self.inner.__enter__()

            def __exit__(self, *error: Any) -> None:
                self.inner.__exit__(None, None, None)

        return Context()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    found = Recorder()
    monkeypatch.setitem(sys.modules, "cupy", found.module())
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device", lambda index: found.set("device", index))
    streams = {0: 111, 1: 222}
    monkeypatch.setattr(torch.cuda, "current_stream", lambda i: types.SimpleNamespace(cuda_stream=streams[i]))
    _forget()
    yield found
    _forget()


def _forget() -> None:
    launch._compiled.cache_clear()
    launch._stream.cache_clear()


def parameters(name: str) -> list[tuple[str, str]]:
    """(type, name) of each parameter of a function of lif.cu."""
    listed = re.search(rf"\n{name}\((.*?)\) {{", launch.source(), re.DOTALL)
    assert listed is not None
    words = [re.sub(r"const |__restrict__ ", "", " ".join(p.split())) for p in listed[1].split(",")]
    return [(word.rsplit(" ", 1)[0], word.rsplit(" ", 1)[1]) for word in words]


def named(name: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """The arguments by the kernel's names for them, each of the kernel's type."""
    expected = parameters(name)
    assert len(arguments) == len(expected)
    for value, (kind, which) in zip(arguments, expected, strict=True):
        assert type(value) is (np.uint64 if kind.endswith("*") else TYPES[kind]), which
    return {which: value.item() for value, (_, which) in zip(arguments, expected, strict=True)}


def test_the_forward_gets_its_arguments_in_the_kernels_order(recorder: Recorder) -> None:
    x, start, share, out, last = (torch.zeros(n) for n in ((6, 1000), (1000,), (), (6, 1000), (1000,)))
    launch.forward(x, start, share, out, last, NEURON)
    (done,) = recorder.launches
    assert named("lif_forward", done["arguments"]) == {
        "x": x.data_ptr(),
        "start": start.data_ptr(),
        "learned": share.data_ptr(),
        "out": out.data_ptr(),
        "last": last.data_ptr(),
        "count": 1000,
        "stride_x": 1000,
        "steps": 6,
        "tau": 2.0,
        "share": 0.5,
        "threshold": 0.5,
        "reset": -0.25,
    }
    assert done["grid"] == (2,)  # 1000 neurons, 4 a thread, 128 threads a block
    assert done["block"] == (128,)


def test_the_backward_gets_its_arguments_in_the_kernels_order(recorder: Recorder) -> None:
    x, grad_x = torch.zeros(20, 1000), torch.zeros(20, 1000)
    start, share, above_last, grad_start = (torch.zeros(n) for n in ((1000,), (), (1000,), (1000,)))
    above = torch.zeros(1, 1000).expand(20, 1000)
    neuron = NEURON._replace(surrogate=BOX, alpha=4.0, offset=-0.25, reset=None, tau=None)
    to_share = launch.backward(x, start, share, above, above_last, grad_x, grad_start, neuron)
    (done,) = recorder.launches
    found = named("lif_backward", done["arguments"])
    assert found.pop("marks") != 0
    assert found.pop("sums") != 0
    assert found == {
        "x": x.data_ptr(),
        "start": start.data_ptr(),
        "learned": share.data_ptr(),
        "g": above.data_ptr(),
        "g_last": above_last.data_ptr(),
        "g_x": grad_x.data_ptr(),
        "g_start": grad_start.data_ptr(),
        "count": 1000,
        "stride_x": 1000,
        "stride_g": 0,
        "steps": 20,
        "tau": 0.0,
        "share": 0.0,
        "threshold": 0.5,
        "reset": 0.0,
        "alpha": 4.0,
        "half_width": 0.125,
        "offset": -0.25,
    }
    assert to_share is not None and to_share.dtype == torch.float64
    assert done["grid"] == (4,)  # 2 neurons a thread beside 16 steps


def test_what_is_not_there_is_a_null_pointer(recorder: Recorder) -> None:
    x = torch.zeros(4, 8)
    launch.forward(x, None, None, x.clone(), x[0].clone(), NEURON)
    launch.backward(x, None, None, x, None, x.clone(), None, NEURON)
    forward, backward = (call["arguments"] for call in recorder.launches)
    absent = {name for name, value in named("lif_forward", forward).items() if value == 0}
    assert absent == {"start", "learned"}
    found = named("lif_backward", backward)
    assert {k for k, v in found.items() if v == 0} >= {"start", "learned", "g_last", "g_start", "sums"}


@pytest.mark.parametrize(
    ("x", "width"),
    [
        (torch.zeros(4, 1024), 4),
        (torch.zeros(4, 1022), 2),
        (torch.zeros(4, 1023), 1),
        (torch.zeros(4 * 1024 + 1)[1:].view(4, 1024), 1),  # starts 4 bytes past an aligned place
        (torch.zeros(4, 1, 1024).expand(4, 1, 1024), 4),
        (torch.zeros(1, 1025)[:, 1:], 1),
        (torch.zeros(4, 1024, dtype=torch.bfloat16), 8),
        (torch.zeros(4, 1020, dtype=torch.float16), 4),
    ],
)
def test_accesses_are_as_wide_as_everything_is_aligned(recorder: Recorder, x: Tensor, width: int) -> None:
    launch.forward(x, None, None, torch.zeros(x.shape, dtype=x.dtype), torch.zeros(x.shape[1:]), NEURON)
    ((_, options),) = recorder.compiled
    assert f"-DVEC={width}" in options
    (done,) = recorder.launches
    assert (done["grid"][0] - 1) * 128 * width < x[0].numel() <= done["grid"][0] * 128 * width


def test_a_gradient_whose_steps_start_anywhere_narrows_the_backward(recorder: Recorder) -> None:
    x, above = torch.zeros(4, 1024), torch.zeros(4, 1026)[:, :1024]
    for first, second in ((x, above), (above, x)):
        launch.backward(first, None, None, second, None, x.clone(), None, NEURON)
    assert ["-DVEC=2" in options for _, options in recorder.compiled] == [True]
    strides = [named("lif_backward", call["arguments"]) for call in recorder.launches]
    assert [(found["stride_x"], found["stride_g"]) for found in strides] == [(1024, 1026), (1026, 1024)]


@pytest.mark.parametrize(
    ("changes", "learned", "flags"),
    [
        ({}, False, 1 + 2 + 8),
        ({"tau": 1.7}, False, 1 + 2 + 8 + 16),
        ({"tau": 4.0, "decay_input": False}, False, 1 + 8),
        ({"tau": None, "decay_input": False}, False, 8),
        ({"reset": None, "detach_reset": False}, False, 1 + 2 + 4),
        ({"tau": None}, True, 1 + 2 + 8),
    ],
)
def test_the_variant_says_what_the_neuron_is(
    recorder: Recorder, changes: dict[str, Any], learned: bool, flags: int
) -> None:
    x, share = torch.zeros(4, 8), torch.zeros(()) if learned else None
    neuron = NEURON._replace(**changes)
    launch.forward(x, None, share, x.clone(), x[0].clone(), neuron)
    launch.backward(x, None, share, x, None, x.clone(), None, neuron._replace(gate=True))
    forward, backward = recorder.compiled
    common = ("-std=c++17", "--fmad=false", "-DIO=0", "-DVEC=4")
    detach = flags & 8  # forwards, it makes no difference
    assert forward == ("lif_forward", (*common, "-DGATE=0", f"-DFLAGS={flags - detach}"))
    chosen = ("-DCHUNK=4", "-DSURROGATE=2", f"-DLEARNED={int(learned)}")
    assert backward == ("lif_backward", (*common, "-DGATE=1", f"-DFLAGS={flags}", *chosen))


def test_a_launch_is_on_the_tensors_device_and_torchs_stream_there_and_compiles_once(recorder: Recorder) -> None:
    kernel = Kernel("lif_forward", ())
    for index in (0, 1, 1):
        launch.run(kernel, 3, (), torch.device("cuda", index))
    launch.run(kernel, 3, (), torch.device("cuda"))
    assert [(call["device"], call["stream"]) for call in recorder.launches] == [(0, 111), (1, 222), (1, 222), (0, 111)]
    assert len(recorder.compiled) == 2  # once a device


WIDE = {0: 4, 1: 8, 2: 8}


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_nvrtc_compiles_the_source(architecture: str) -> None:
    compiler = pytest.importorskip("cupy.cuda.compiler", reason="needs CuPy")
    kernels = [Kernel("lif_forward", launch._defines(IO=io, VEC=WIDE[io], GATE=io > 0, FLAGS=19)) for io in WIDE]
    for number in range(8):
        io = number % 3
        common = launch._defines(IO=io, VEC=WIDE[io], GATE=number % 2, FLAGS=(11, 23, 4)[io])
        kernels.append(Kernel("lif_backward", common + launch._defines(CHUNK=4, SURROGATE=number, LEARNED=number == 2)))
    for kernel in kernels:
        program = compiler._NVRTCProgram(launch.source(), "lif.cu", method="cubin")
        options = (f"-arch={architecture}", *launch._OPTIONS, *kernel.options)
        binary = program.compile(options)[0]
        assert kernel.name.encode() in binary
