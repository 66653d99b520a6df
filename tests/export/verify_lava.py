"""Runs netx files in real lava and compares every layer with the simulator: one line a layer, status 1 on a mismatch.

python -m tests.export.verify_lava --python LAVA_PYTHON [MODEL.net ...]     without files: networks of the tests
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import export.lava
from export.chip import Chip, Layout
from export.network import Conv, Dense, Network, Neuron
from export.netx import write_netx
from export.netx_reading import read_netx
from export.quantising import quantise
from export.simulator import simulate
from tests.export.zoo import chain, spikes, weights, zoo

RUNNER = Path(export.lava.__path__[0]) / "run_netx.py"
SEED, STEPS, SAMPLES = 5, 6, 2


@dataclass(frozen=True)
class Compared:
    """One layer's entries beside lava's: how many there are, how many lava's are not 0, how many differ."""

    layer: str
    entries: int
    active: int
    mismatches: int


def compare(python: str, net: Path, given: np.ndarray, fast: bool = False) -> list[Compared]:
    """given: (T, N, *frame) integers. Membranes and running sums are compared as the spikes are."""
    chip = _in_chip_units(read_netx(net))
    ours = simulate(chip, given, [layer.name for layer in chip.layers])
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "in.npz", spikes=given.reshape(*given.shape[:2], *chip.frame_shape).astype(np.int32))
        options = ["--message-bits", str(chip.message_bits)]
        options += ["--membrane"] if chip.layers[-1].output == "membrane" else []
        options += ["--fast"] if fast else []
        command = [python, "-I", str(RUNNER), str(net), f"{folder}/in.npz", f"{folder}/out.npz", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{net} does not run in lava: {done.stderr.strip()[-2000:]}")
        with np.load(Path(folder) / "out.npz") as file:
            theirs = dict(file)
    rows = []
    for number, layer in enumerate(chip.layers):
        mine, real = ours[layer.name], theirs[f"layer{number}"]
        if layer.output == "membrane":
            real = theirs["v"]
        if layer.output == "sigma":  # lava adds up from its first step on
            stream = real.swapaxes(0, 1).reshape(-1, *real.shape[2:])
            real = (
                np.diff(stream, axis=0, prepend=theirs[f"before{number}"][None])
                .reshape(real.swapaxes(0, 1).shape)
                .swapaxes(0, 1)
            )
        mine = mine.reshape(real.shape)
        rows.append(Compared(layer.name, mine.size, int((real != 0).sum()), int((mine != real).sum())))
    return rows


def _in_chip_units(chip: Chip) -> Chip:
    """Whole frames and integers, without the layout and scales of a sidecar."""
    layers = [
        replace(
            layer,
            name=f"{number} {layer.name}",
            layout=Layout(layer.shape),
            gain=1.0,
            scale=1 / 64 if layer.output == "membrane" else 1.0,
            host_bias=None,
        )
        for number, layer in enumerate(chip.layers)
    ]
    return replace(chip, layers=tuple(layers), output_shape=layers[-1].shape)


def chips() -> dict[str, tuple[Chip, np.ndarray]]:
    """Chips of the test networks, and spikes for each."""
    rng = np.random.default_rng(SEED)
    networks = zoo(rng)
    rows = {name: (quantise(network), spikes(rng, network, STEPS, SAMPLES)) for name, network in networks.items()}
    for name in ("transposed", "transposed groups", "odd transposed"):
        rows[f"{name}, extended"] = (quantise(networks[name], loader="extended"), rows[name][1])
    rows["per channel scales"] = (quantise(networks["conv"], per_channel=True), rows["conv"][1])
    for readout in ("membrane", "sigma"):
        network = with_readout(networks["conv"], Conv(weights(rng, 3, 4, 3, 3)))
        rows[f"{readout} read-out"] = (quantise(network, readout=readout), rows["conv"][1])
        network = with_readout(networks["dense"], Dense(weights(rng, 7, 10)))
        rows[f"dense {readout} read-out"] = (quantise(network, readout=readout), rows["dense"][1])
    counts = rng.integers(-3, 8, rows["conv"][1].shape)
    rows["counts"] = (quantise(networks["conv"], counts), counts)
    return rows


def with_readout(network: Network, linear: Conv | Dense, neuron: Neuron | None = None) -> Network:
    """One more layer, real-valued."""
    shape = chain(network.output_shape, linear).output_shape
    last = replace(chain(network.output_shape, linear).layers[0], name="image", neuron=neuron)
    source = replace(last.synapses[0], source=len(network.layers) - 1)
    last = replace(last, synapses=(source,), bias=np.linspace(-0.4, 0.5, shape[0]))
    return replace(network, layers=(*network.layers, last), output_shape=shape)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare netx files in real lava with the simulator.")
    parser.add_argument("--python", required=True, help="of an environment with lava-dl 0.6.0")
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args()
    total = 0
    print(f"{'network':28} {'layer':20} {'entries':>9} {'active':>9} {'mismatches':>10}")
    with tempfile.TemporaryDirectory() as folder:
        work: list[tuple[str, Path, np.ndarray]] = []
        for name, (chip, values) in [] if given.files else chips().items():
            path = Path(folder) / f"{name}.net"
            write_netx(chip, path)
            work.append((name, path, values))
        for path in given.files:
            chip = read_netx(path)
            shape = (STEPS, SAMPLES, *chip.frame_shape)
            work.append((path.name, path, (np.random.default_rng(SEED).random(shape) < 0.3).astype(np.int64)))
        for name, path, values in work:
            for row in compare(given.python, path, values, fast=bool(given.files)):
                print(f"{name:28} {row.layer:20} {row.entries:9,} {row.active:9,} {row.mismatches:10,}", flush=True)
                total += row.mismatches
    print(f"mismatches in all: {total}")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
