"""NIR files say the same as their networks: by NIR's equations in float64, and read back by SpikingJelly's layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from export.network import INPUT, Conv, Dense, Layer, Network, Neuron, Synapses
from export.nir import write_nir
from export.nir_reading import read_nir
from export.running import run
from tests.export.zoo import chain, spikes, weights, zoo

ZOO = zoo(np.random.default_rng(5))


def _by_nir(path: Path, frames: np.ndarray) -> np.ndarray:
    """The nodes of a chain one after another, by the equations in NIR's documentation stepped with dt = 1e-4."""
    graph, dt = nir.read(path), 1e-4
    follows = dict(graph.edges)
    name, x = "input", torch.from_numpy(frames)
    while (name := follows[name]) != "output":
        node, (steps, samples) = graph.nodes[name], x.shape[:2]
        if isinstance(node, nir.Conv2d):
            sizes = [tuple(int(n) for n in size) for size in (node.stride, node.padding, node.dilation)]
            weight, bias = (torch.from_numpy(a).double() for a in (node.weight, node.bias))
            x = F.conv2d(x.flatten(0, 1), weight, bias, *sizes).unflatten(0, (steps, samples))
        elif isinstance(node, nir.Flatten):
            x = x.flatten(2)
        elif isinstance(node, (nir.Linear, nir.Affine)):
            x = F.linear(x, torch.from_numpy(node.weight).double())
            x = x + torch.from_numpy(node.bias).double() if isinstance(node, nir.Affine) else x
        elif isinstance(node, nir.CubaLIF):
            p = {key: torch.from_numpy(value) for key, value in vars(node).items() if isinstance(value, np.ndarray)}
            i, v, out = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
            for step in x:
                i = i + dt / p["tau_syn"] * (p["w_in"] * step - i)
                v = v + dt / p["tau_mem"] * (p["v_leak"] - v + p["r"] * i)
                fired = v > p["v_threshold"]
                v = torch.where(fired, p["v_reset"], v)
                out.append(fired.double())
            x = torch.stack(out)
    return x.numpy()


def _frames(given: np.ndarray, path: Path) -> np.ndarray:
    """Inputs as the file's nodes take them, which is with a channel of ones where its metadata say so."""
    graph = nir.read(path)
    shape, ones = graph.nodes["input"].output_type["output"], int(graph.metadata["input_ones"])
    frames = given.reshape(*given.shape[:2], shape[0] - ones, *shape[1:])
    return np.concatenate([frames, np.ones_like(frames[:, :, :ones])], 2)


@pytest.mark.parametrize("name", ZOO)
def test_by_nir_s_own_equations_a_file_spikes_as_its_network(name: str, tmp_path: Path) -> None:
    network, path = ZOO[name], tmp_path / "a.nir"
    given = spikes(np.random.default_rng(1), network)
    write_nir(network, path)
    found = _by_nir(path, _frames(given, path))
    found = found.reshape(*found.shape[:2], -1)[:, :, nir.read(path).metadata["output_places"]]
    expected = run(network, given)[network.layers[-1].name]
    assert 0.01 < expected.mean() < 0.98
    assert np.array_equal(found.reshape(expected.shape), expected)


@pytest.mark.parametrize("name", [name for name in ZOO if name != "per channel"])
def test_a_file_read_back_spikes_as_its_network(name: str, tmp_path: Path) -> None:
    network = ZOO[name]
    given = spikes(np.random.default_rng(1), network)
    module = read_nir(write_nir(network, tmp_path / "a.nir"), dtype=torch.float64)
    with torch.no_grad():
        found = module(torch.from_numpy(given)).numpy()
    assert np.array_equal(found, run(network, given)[network.layers[-1].name])


def test_a_neuron_on_the_threshold_fires_or_not_as_its_network_says(tmp_path: Path) -> None:
    given = np.ones((40, 1, 1))  # quarters, 4 to a threshold of 1: every fourth step meets it exactly
    for strict, leak, expected in ((False, 0.0, 10), (True, 0.0, 8), (False, 1.0, 0)):
        layer = Layer("n", (1,), (Synapses(INPUT, Dense(np.array([[0.25]]))),), None, Neuron(leak, 1.0, 1.0, strict))
        network = Network((1,), (layer,), (1,))
        path = write_nir(network, tmp_path / "a.nir")
        assert _by_nir(path, given).sum() == read_nir(path)(torch.from_numpy(given).float()).sum() == expected
        assert run(network, given)["n"].sum() == expected


def test_quantised_weights_meet_their_threshold_after_hundreds_of_steps(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(-20, 60, (8, 12)) / 64.0
    for leak in (0.0, 0.5):
        layer = Layer("n", (8,), (Synapses(INPUT, Dense(whole)),), None, Neuron(leak, 1.0, 2.0))
        network = Network((12,), (layer,), (8,))
        given = spikes(rng, network, steps=300)
        path = write_nir(network, tmp_path / "a.nir")
        assert np.array_equal(_by_nir(path, given), run(network, given)["n"])


def test_the_same_network_gives_the_same_bytes_and_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    path.write_bytes(b"old")
    first = write_nir(ZOO["conv"], path).read_bytes()
    assert write_nir(ZOO["conv"], path).read_bytes() == first
    assert [other.name for other in tmp_path.iterdir()] == ["a.nir"]
    with pytest.raises(FileNotFoundError, match="is no folder"):
        write_nir(ZOO["conv"], tmp_path / "missing" / "a.nir")


def test_a_bias_that_differs_from_place_to_place_is_the_weight_of_a_constant_spike(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for name, ones in (("from codes", 1), ("two linears", 0)):
        network = ZOO[name]
        index = next(i for i, layer in enumerate(network.layers) if layer.shape == (4, 4, 4))
        layers = list(network.layers)
        layers[index] = replace(layers[index], bias=rng.normal(0, 0.5, (4, 4, 4)))
        network = replace(network, layers=tuple(layers))
        given = spikes(rng, network)
        path = write_nir(network, tmp_path / "a.nir")
        assert nir.read(path).metadata["input_ones"] == ones
        with torch.no_grad():
            found = read_nir(path, dtype=torch.float64)(torch.from_numpy(given)).numpy()
        assert np.array_equal(found, run(network, given)[network.layers[-1].name])


def test_such_a_bias_of_a_plain_convolution_is_refused_by_name(tmp_path: Path) -> None:
    network = ZOO["conv"]
    layers = (network.layers[0], replace(network.layers[1], bias=np.arange(256.0).reshape(4, 8, 8)))
    with pytest.raises(ValueError, match=r"^1: its bias differs from place to place"):
        write_nir(replace(network, layers=layers), tmp_path / "a.nir")
    assert not list(tmp_path.iterdir())


def test_a_kernel_without_a_square_equal_is_refused_by_name(tmp_path: Path) -> None:
    network = chain((1, 8, 8), Conv(np.ones((1, 1, 2, 3))))
    with pytest.raises(ValueError, match=r"^0: its kernel, 2 by 3, is not square"):
        write_nir(network, tmp_path / "a.nir")


def test_a_read_out_is_written_as_its_input_or_its_membrane(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for last in (None, Neuron(0.25, 0.25, np.inf), Neuron(0.0, 1.0, np.inf)):
        network = chain((6,), Dense(weights(rng, 5, 6)), Dense(weights(rng, 3, 5)))
        network = replace(network, layers=(network.layers[0], replace(network.layers[1], neuron=last)))
        given = spikes(rng, network)
        module = read_nir(write_nir(network, tmp_path / "a.nir"), dtype=torch.float64)
        with torch.no_grad():
            found = module(torch.from_numpy(given)).numpy()
        assert np.abs(found - run(network, given)["1"]).max() < 1e-12


def test_another_skip_costs_only_channels_so_that_all_neurons_of_a_layer_share_one_leak(tmp_path: Path) -> None:
    graph = nir.read(write_nir(ZOO["skip"], tmp_path / "a.nir"))
    for name, node in graph.nodes.items():
        if name.startswith("neurons"):
            assert len(np.unique(node.tau_mem)) == len(np.unique(node.v_threshold)) == 1
    assert graph.nodes["neurons_1"].v_threshold.shape == (8, 8, 8)  # its own 4 channels and 4 that it carries on
