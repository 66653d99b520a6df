"""The float64 run of a Network, against numbers worked out by hand and against torch's own layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from export.network import INPUT, Conv, ConvTranspose, Dense, Layer, Network, Neuron, Synapses
from export.running import apply, run


def _one(weight: list[list[float]], neuron: Neuron | None, bias: list[float] | None = None, name: str = "n") -> Network:
    matrix = np.array(weight)
    b = None if bias is None else np.array(bias)
    layer = Layer(name, (len(matrix),), (Synapses(INPUT, Dense(matrix)),), b, neuron)
    return Network((matrix.shape[1],), (layer,), (len(matrix),))


def _steps(*rows: list[float]) -> np.ndarray:
    return np.array(rows)[:, None]


def test_a_membrane_integrates_and_starts_again_at_zero_where_it_fires() -> None:
    network = _one([[0.4]], Neuron(0.0, 1.0, 1.0))  # w: .4 .8 1.2 | .4 .8 1.2 |
    assert run(network, _steps(*[[1.0]] * 6))["n"].ravel().tolist() == [0, 0, 1, 0, 0, 1]


def test_the_leak_comes_before_the_input_and_the_gain_scales_it() -> None:
    network = _one([[1.0]], Neuron(0.5, 0.25, 0.4))  # w: .25 .375 .4375 |
    assert run(network, _steps(*[[1.0]] * 4))["n"].ravel().tolist() == [0, 0, 1, 0]


def test_at_the_threshold_a_neuron_fires_unless_it_is_strict() -> None:
    assert run(_one([[1.0]], Neuron(0.0, 1.0, 1.0)), _steps([1.0]))["n"].item() == 1
    assert run(_one([[1.0]], Neuron(0.0, 1.0, 1.0, strict=True)), _steps([1.0]))["n"].item() == 0


def test_leak_gain_and_threshold_may_differ_by_channel() -> None:
    neuron = Neuron(np.array([0.0, 0.5]), np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    network = _one([[1.0], [1.0]], neuron)  # first 1 2| 1 2|, second 2 3| 2 3|
    assert run(network, _steps(*[[1.0]] * 4))["n"][:, 0].T.tolist() == [[0, 1, 0, 1], [0, 1, 0, 1]]


def test_the_bias_arrives_at_every_step() -> None:
    assert run(_one([[0.0]], None, [0.5]), _steps([1.0], [0.0]))["n"].ravel().tolist() == [0.5, 0.5]


def test_without_neurons_the_input_comes_out_and_without_a_threshold_the_membrane() -> None:
    x = _steps([1.0], [1.0])
    assert run(_one([[3.0]], None), x)["n"].ravel().tolist() == [3, 3]
    assert run(_one([[3.0]], Neuron(0.5, 1.0, np.inf)), x)["n"].ravel().tolist() == [3, 4.5]


def test_a_probe_shows_a_layer_on_the_way_and_the_last_has_the_module_s_shape() -> None:
    first = Layer("a", (2, 1, 2), (Synapses(INPUT, Conv(np.ones((2, 1, 1, 1)))),), None, Neuron(1.0, 1.0, 0.5))
    last = Layer("b", (4,), (Synapses(0, Dense(np.eye(4))),), None, Neuron(1.0, 1.0, 0.5))
    x = np.array([1.0, 0.0]).reshape(1, 1, 1, 1, 2)
    results = run(Network((1, 1, 2), (first, last), (2, 2)), x, probes=["a"])
    assert results["a"].tolist() == [[[[[1, 0]], [[1, 0]]]]]
    assert results["b"].tolist() == [[[[1, 0], [1, 0]]]]


def test_two_synapses_onto_one_layer_add_up() -> None:
    relay = Layer("a", (1,), (Synapses(INPUT, Dense(np.eye(1))),), None, Neuron(1.0, 1.0, 0.5))
    both = (Synapses(0, Dense(np.array([[2.0]]))), Synapses(INPUT, Dense(np.array([[3.0]]))))
    network = Network((1,), (relay, Layer("b", (1,), both, None, None)), (1,))
    assert run(network, _steps([1.0], [0.0]))["b"].ravel().tolist() == [5, 0]


def test_a_bias_of_one_number_a_neuron_has_the_layer_s_shape() -> None:
    bias = np.arange(4.0).reshape(1, 2, 2)
    layer = Layer("a", (1, 2, 2), (Synapses(INPUT, Conv(np.zeros((1, 1, 1, 1)))),), bias, None)
    x = np.ones((1, 1, 1, 2, 2))
    assert run(Network((1, 2, 2), (layer,), (1, 2, 2)), x)["a"].ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("groups", [1, 2])
def test_maps_are_torch_s_layers(groups: int) -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 4, 5, 6, dtype=torch.float64)
    conv = nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), groups, bias=False).double()
    ours = Conv(conv.weight.detach().numpy(), (2, 1), (1, 1, 0, 0), (1, 2), groups)
    torch.testing.assert_close(apply(ours, x), conv(x).detach(), rtol=0, atol=1e-14)
    up = nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), groups, bias=False).double()
    theirs = ConvTranspose(up.weight.detach().numpy(), (2, 3), (1, 0), (1, 2), groups=groups)
    torch.testing.assert_close(apply(theirs, x), up(x).detach(), rtol=0, atol=1e-14)


def test_padding_is_top_bottom_left_right_after_repeating_pixels() -> None:
    x = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    linear = Conv(np.ones((1, 1, 1, 1)), padding=(1, 0, 0, 2), upsample=(2, 1))
    assert apply(linear, x)[0, 0].tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 0]]


def test_a_shape_that_does_not_fit_and_an_unknown_probe_are_refused_in_a_sentence() -> None:
    network = _one([[1.0, 1.0]], None)
    with pytest.raises(ValueError, match=r"expected an input of shape \(T, N, 2\), got \(1, 1, 3\)"):
        run(network, np.ones((1, 1, 3)))
    with pytest.raises(ValueError, match=r"got \(1, 1, 2, 8, 3\)"):
        run(replace(network, input_shape=(2, 3, 8)), np.ones((1, 1, 2, 8, 3)))
    with pytest.raises(ValueError, match="expected probes among the layers n, got m"):
        run(network, np.ones((1, 1, 2)), probes=["m"])
