"""SpikingJelly, snnTorch and norse run our NIR files to the spikes of their networks, in their own interpreter."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest

from export.network import Conv, Dense, Network, Neuron
from export.nir import write_nir
from export.running import run
from tests.export.zoo import chain, lively, neuron, spikes, weights, zoo

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "nir_agreement.py"
PYTHON = os.environ.get("NEUROGEN_NIR_PYTHON", "")
UNIFORM = "per channel"  # leaks that differ within a layer, which SpikingJelly's import refuses


def networks(rng: np.random.Generator) -> dict[str, Network]:
    """Every way of lowering, every neuron, and weights that meet their threshold exactly."""
    found = {name: network for name, network in zoo(rng).items() if name != UNIFORM}
    conv = Conv(weights(rng, 6, 2, 3, 3), padding=(1, 1, 1, 1))
    head = Dense(weights(rng, 10, 6 * 64))
    for name, kind in {
        "IF": neuron(0.0),
        "LIF tau 2": neuron(0.5),
        "LIF without decay of its input": neuron(0.5, 1.0),
        "PLIF": neuron(0.2689),
        "reset to -0.5": neuron(0.5, threshold=1.5),  # v_threshold 1, measured from its reset
        "thresholds by channel": Neuron(0.5, 0.5, np.array([0.5, 0.75, 1.0, 1.25, 1.5, 2.0])),
    }.items():
        network = chain((2, 8, 8), conv, head, neurons=kind if np.ndim(kind.threshold) == 0 else None)
        if np.ndim(kind.threshold):
            network = replace(network, layers=(replace(network.layers[0], neuron=kind), *network.layers[1:]))
        found[name] = lively(network, rng)
    for name, kind in {"ties of IF": neuron(0.0), "ties of LIF": neuron(0.5, 1.0)}.items():
        found[name] = chain((12,), Dense(rng.integers(-9, 30, (20, 12)) / 64), neurons=kind)
    return found


@pytest.mark.interop
@pytest.mark.skipif(not PYTHON, reason="set NEUROGEN_NIR_PYTHON, or run make test-interop-nir")
def test_three_simulators_make_the_spikes_of_each_network(tmp_path: Path) -> None:
    rng, paths = np.random.default_rng(7), []
    for name, network in networks(rng).items():
        path = write_nir(network, tmp_path / f"{name}.nir")
        given = spikes(rng, network, steps=24, samples=3)
        graph, last = nir.read(path), network.layers[-1].name
        frame, ones = graph.nodes["input"].output_type["output"], int(graph.metadata["input_ones"])
        frames = given.reshape(*given.shape[:2], frame[0] - ones, *frame[1:])
        own = run(network, given)[last].reshape(*given.shape[:2], -1)
        expected = np.zeros((*own.shape[:2], int(np.prod(graph.nodes["output"].output_type["output"]))))
        expected[:, :, graph.metadata["output_places"]] = own
        np.savez(path.with_suffix(".npz"), input=frames, output=expected)
        paths.append(path)
    done = subprocess.run([PYTHON, "-P", SCRIPT, *paths], capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 3 * len(paths), done.stderr[-2000:]
    print(done.stdout)
    wrong = [line for line in lines if line["mismatches"] != 0]
    assert not wrong, wrong
