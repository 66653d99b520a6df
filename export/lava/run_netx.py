"""Runs a netx file in lava's fixed-point simulator, every layer recorded. Needs Python 3.10 with lava-dl 0.6.0.

    python -I run_netx.py MODEL.net INPUT.npz OUTPUT.npz [--message-bits B] [--membrane] [--fast]

INPUT     spikes (T, N, C, H, W) or (T, N, F), integers, axes as in torch
OUTPUT    layer0, layer1, ... (T, N, *shape) what each layer sends, axes as in torch; v: with --membrane, the last
          layer's membrane after each step, 64 a weight unit

Layer l sees frame t at step t + 1 + l. The network is built with reset_interval=T, reset_offset=1, which clears each
layer on the step where it sees the first frame of a sample, so that samples follow each other in one run and row t of
every result belongs to row t of the input. A sigma layer is never cleared: what it had added up before the first row
is in before0, before1, ... (*shape).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import shutil
import sys
import tempfile
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # lava starts a process for each part of each layer

import h5py  # noqa: E402
import numpy as np  # noqa: E402
from lava.lib.dl.netx import hdf5  # noqa: E402
from lava.magma.core.decorator import implements, requires, tag  # noqa: E402
from lava.magma.core.model.py.model import PyLoihiProcessModel  # noqa: E402
from lava.magma.core.model.py.ports import PyInPort, PyRefPort  # noqa: E402
from lava.magma.core.model.py.type import LavaPyType  # noqa: E402
from lava.magma.core.process.ports.ports import InPort, RefPort  # noqa: E402
from lava.magma.core.process.process import AbstractProcess  # noqa: E402
from lava.magma.core.resources import CPU  # noqa: E402
from lava.magma.core.run_conditions import RunSteps  # noqa: E402
from lava.magma.core.run_configs import Loihi2SimCfg  # noqa: E402
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol  # noqa: E402
from lava.proc.conv import utils as conv_utils  # noqa: E402
from lava.proc.io.source import RingBuffer  # noqa: E402

CHANNEL_SLOTS = 8  # of shared memory a connection; lava's 64 fill /dev/shm with large layers


class FileSink(AbstractProcess):
    """Writes what arrives to a .npy file (steps, *shape); lava's own sink hands numbers back one by one."""

    def __init__(self, *, shape: tuple[int, ...], steps: int, path: str) -> None:
        super().__init__(shape=shape, steps=steps, path=path)
        self.a_in = InPort(shape=shape)
        _empty(path, steps, shape)


class FileRead(AbstractProcess):
    """Writes a variable to a .npy file (steps, *shape), after each step."""

    def __init__(self, *, var: Any, steps: int, path: str) -> None:
        super().__init__(steps=steps, path=path)
        self.state = RefPort(var.shape)
        self.state.connect_var(var)
        _empty(path, steps, var.shape)


def _empty(path: str, steps: int, shape: tuple[int, ...]) -> None:
    np.lib.format.open_memmap(path, mode="w+", dtype=np.int32, shape=(steps, *shape)).flush()


class _Writer(PyLoihiProcessModel):
    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._rows: Any = None

    def put(self, data: Any) -> None:
        if self._rows is None:
            self._rows = np.load(self.proc_params["path"], mmap_mode="r+")
        row = self.time_step - 1
        if row < len(self._rows):
            self._rows[row] = data
        if row == len(self._rows) - 1:
            self._rows.flush()


@implements(proc=FileSink, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "floating_pt")
class PyFileSink(_Writer):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        self.put(self.a_in.recv())


@implements(proc=FileRead, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "floating_pt")
class PyFileRead(_Writer):
    state: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def post_guard(self) -> bool:
        return True

    def run_post_mgmt(self) -> None:
        self.put(self.state.read())


def fast_conv(input_: Any, weight: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """What lava's Python loop over scipy's convolve2d computes, by one product in float64, exact below 2^53.

    input_: (W, H, C), weight: (O, kW, kH, C / groups), a true convolution; returns (W', H', O).
    """
    outputs, kx, ky, inputs = weight.shape
    (sx, sy), (px, py), (dx, dy) = ([int(v) for v in pair] for pair in (stride, padding, dilation))
    x = np.pad(np.asarray(input_, np.float64), ((px, px), (py, py), (0, 0)))
    width = (x.shape[0] - dx * (kx - 1) - 1) // sx + 1
    height = (x.shape[1] - dy * (ky - 1) - 1) // sy + 1
    per_group, groups = outputs // int(groups), int(groups)
    result = np.empty((width, height, outputs), weight.dtype)
    a, b, c = x.strides
    flipped = weight[:, ::-1, ::-1].transpose(3, 1, 2, 0).reshape(inputs * kx * ky, outputs).astype(np.float64)
    for g in range(groups):
        windows = np.lib.stride_tricks.as_strided(
            x[:, :, g * inputs :], (width, height, inputs, kx, ky), (a * sx, b * sy, c, a * dx, b * dy)
        )
        rows = windows.reshape(width * height, -1) @ flipped[:, g * per_group : (g + 1) * per_group]
        result[..., g * per_group : (g + 1) * per_group] = np.rint(rows).reshape(width, height, per_group)
    return result


def load(path: str, steps: int, message_bits: int) -> Any:
    """The network of a file; by our small loader where a layer is a transposed convolution."""
    with h5py.File(path, "r") as file:
        kinds = {np.atleast_1d(entry["type"][()])[0] for entry in file["layer"].values()}
    network = _extended() if b"convT" in kinds else hdf5.Network
    return network(net_config=path, input_message_bits=message_bits, reset_interval=steps, reset_offset=1)


def _extended() -> Any:
    """ExtendedNetwork from the file beside this one, where Python is not told to look."""
    place = pathlib.Path(__file__).resolve().with_name("netx_extended.py")
    spec = importlib.util.spec_from_file_location("netx_extended", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)

    sys.modules["netx_extended"] = module
    spec.loader.exec_module(module)
    return module.ExtendedNetwork


def run(path: str, spikes: Any, message_bits: int = 0, membrane: bool = False) -> dict[str, Any]:
    """spikes: (T, N, ...) integers -> what each layer sends, and v."""
    steps, samples = spikes.shape[:2]
    network = load(path, steps, message_bits)
    depth = len(network.layers)
    total = steps * samples + depth
    frames = spikes.swapaxes(0, 1).reshape(steps * samples, *spikes.shape[2:])
    frames = np.concatenate([frames, np.zeros((depth, *frames.shape[1:]), frames.dtype)]).astype(np.int32)
    if len(network.inp.shape) == 1:
        frames = frames.reshape(total, -1)
    source = RingBuffer(data=np.ascontiguousarray(frames.transpose(range(frames.ndim)[::-1])))
    source.s_out.connect(network.inp)
    folder = tempfile.mkdtemp(prefix="run_netx_")
    try:
        paths = {}
        for number, layer in enumerate(network.layers):
            paths[f"layer{number}"] = os.path.join(folder, f"layer{number}.npy")
            sink = FileSink(shape=layer.out.shape, steps=total, path=paths[f"layer{number}"])
            (network.out if number == depth - 1 else layer.out).connect(sink.a_in)
        if membrane:
            paths["v"] = os.path.join(folder, "v.npy")
            FileRead(var=network.layers[-1].neuron.v, steps=total, path=paths["v"])
        try:
            network.run(
                condition=RunSteps(num_steps=total),
                run_cfg=Loihi2SimCfg(select_tag="fixed_pt"),
                compile_config={"pypy_channel_size": CHANNEL_SLOTS},
            )
        finally:
            network.stop()
        rows = {name: np.load(file) for name, file in paths.items()}
        results = {name: _aligned(some, name, depth, steps, samples) for name, some in rows.items()}
        for number in range(depth):
            results[f"before{number}"] = rows[f"layer{number}"][number].transpose()
        return results
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _aligned(rows: Any, name: str, depth: int, steps: int, samples: int) -> Any:
    """(lava steps, W, H, C) -> (T, N, C, H, W), row t for the input's row t."""
    first = depth if name == "v" else int(name[len("layer") :]) + 1
    rows = rows.transpose(0, *range(rows.ndim - 1, 0, -1))[first : first + steps * samples]
    return rows.reshape(samples, steps, *rows.shape[1:]).swapaxes(0, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a netx file in lava's fixed-point simulator.")
    for name in ("model", "input", "output"):
        parser.add_argument(name)
    parser.add_argument("--message-bits", type=int, default=0, help="bits of an integer input; 0: spikes")
    parser.add_argument("--membrane", action="store_true", help="record the last layer's membrane")
    parser.add_argument("--fast", action="store_true", help="an exact, faster convolution in place of lava's loop")
    given = parser.parse_args()
    if given.fast:
        conv_utils.conv = fast_conv
    with np.load(given.input) as file:
        spikes = file["spikes"]
    results = run(given.model, spikes, given.message_bits, given.membrane)
    beside = given.output + ".part.npz"
    np.savez_compressed(beside, **results)
    os.replace(beside, given.output)


if __name__ == "__main__":
    main()
