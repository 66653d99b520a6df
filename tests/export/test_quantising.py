"""Float networks in integers: exact where they can be, close elsewhere, refused where they would be something else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from export.network import INPUT, Conv, ConvTranspose, Dense, Network, Neuron
from export.netx_reading import dense_weights
from export.quantising import quantise
from export.refusal import Refusal
from export.rounding import _free_of_traps
from export.running import run
from export.simulator import simulate
from tests.export.verify_lava import with_readout
from tests.export.zoo import chain, lively, neuron, spikes, weights, zoo

RNG = np.random.default_rng(5)
ZOO = zoo(RNG)


def differing(network: Network, given: np.ndarray, **options: object) -> list[float]:
    """Share of entries in which the chip differs from the float network, layer by layer."""
    names = [layer.name for layer in network.layers]
    chip, floats = simulate(quantise(network, **options), given, names), run(network, given, names)
    return [float((chip[name] != floats[name]).mean()) for name in names]


def on_grid(network: Network, step: float) -> Network:
    """Every weight and bias on multiples of step, at most 127 of them."""
    layers = []
    for layer in network.layers:
        whole = [
            replace(s, map=replace(s.map, weight=np.rint(s.map.weight / step).clip(-127, 127) * step))
            for s in layer.synapses
        ]
        bias = None if layer.bias is None else np.rint(layer.bias / step) * step
        layers.append(replace(layer, synapses=tuple(whole), bias=bias))
    return replace(network, layers=tuple(layers))


@pytest.mark.parametrize("name", ["dense", "integrate", "grouped", "transposed", "upsampled", "skip", "pooled"])
def test_integrating_neurons_with_weights_on_a_grid_spike_exactly_as_the_floats(name: str) -> None:
    network = replace(
        ZOO[name],
        layers=tuple(
            layer if layer.name == "pool" else replace(layer, neuron=Neuron(0.0, 1.0, 1.0))
            for layer in ZOO[name].layers
        ),
    )
    network = on_grid(network, 1 / 32)
    given = spikes(np.random.default_rng(1), network, 8, 4)
    assert differing(network, given) == [0.0] * len(network.layers)


@pytest.mark.parametrize("leak", [0.5, 0.25])
@pytest.mark.parametrize("strict", [False, True])
def test_leaky_neurons_trained_on_the_chips_grid_spike_exactly_as_the_floats(leak: float, strict: bool) -> None:
    step = 1 / 64 if strict else 1 / (64 + 1 / 64)  # theta = threshold / gain = 1
    network = replace(
        ZOO["conv"],
        layers=tuple(replace(layer, neuron=Neuron(leak, 1.0, 1.0, strict)) for layer in ZOO["conv"].layers),
    )
    network = on_grid(network, step)
    given = spikes(np.random.default_rng(1), network, 5, 8)
    assert max(differing(network, given)) < 2e-4  # a decaying membrane is cut to 1/64 of a step


@pytest.mark.parametrize("name", ["conv", "strict", "plif", "integrate", "per channel", "transposed", "flattened"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_layer_of_random_weights_differs_in_few_spikes(name: str, per_channel: bool) -> None:
    given = spikes(np.random.default_rng(1), ZOO[name], 8, 4)
    assert differing(ZOO[name], given, per_channel=per_channel)[0] <= 0.03


@pytest.mark.parametrize("name", ["transposed", "transposed groups", "odd transposed"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_both_loaders_get_the_same_integers(name: str, per_channel: bool) -> None:
    given = spikes(np.random.default_rng(1), ZOO[name])
    stock = quantise(ZOO[name], per_channel=per_channel)
    extended = quantise(ZOO[name], per_channel=per_channel, loader="extended")
    assert (stock.loader, extended.loader) == ("stock", "extended")
    assert all(np.array_equal(a.scale, b.scale) for a, b in zip(stock.layers, extended.layers, strict=True))
    names = [layer.name for layer in stock.layers]
    first, second = simulate(stock, given, names), simulate(extended, given, names)
    assert all(np.array_equal(first[name], second[name]) for name in names)


def test_each_channel_can_have_a_scale_of_its_own() -> None:
    weight = weights(np.random.default_rng(0), 3, 2, 3, 3) * np.array([1, 0.1, 0]).reshape(3, 1, 1, 1)
    chip = quantise(chain((2, 8, 8), Conv(weight)), per_channel=True)
    layer = chip.layers[0]
    assert np.abs(layer.weight).max(axis=(1, 2, 3)).tolist() == pytest.approx([127, 127, 0], abs=3)
    assert layer.scale[1] / layer.scale[0] > 5
    assert len(layer.v_threshold) == 3


def test_relays_keep_weight_1_and_threshold_0_at_every_scale() -> None:
    layer = quantise(ZOO["skip"], per_channel=True).layers[1]
    assert layer.weight[4:].sum() == 4  # one 1 for each of the four channels carried on
    assert layer.v_threshold[4:].tolist() == [0] * 4
    assert layer.v_decay[4:].tolist() == [4096] * 4
    assert layer.relays == 4 * 64


# Read-outs and entrances.


@pytest.mark.parametrize("readout", ["host", "membrane", "sigma"])
def test_a_real_valued_last_layer_comes_back_in_the_modules_units(readout: str) -> None:
    network = with_readout(ZOO["integrate"], Conv(weights(np.random.default_rng(0), 3, 4, 3, 3)))
    network = replace(on_grid(network, 1 / 32), output_shape=(1, 3, 6, 6))
    given = spikes(np.random.default_rng(1), network)
    chip = quantise(network, readout=readout)
    found, expected = simulate(chip, given)["image"], run(network, given)["image"]
    assert found.shape == (6, 2, 1, 3, 6, 6)
    assert np.allclose(found, expected, atol=1e-9)
    assert (chip.readout is not None) == (readout == "host")
    assert len(chip.layers) == (2 if readout == "host" else 3)


def test_a_leaky_membrane_comes_back_in_the_modules_units() -> None:
    network = with_readout(ZOO["integrate"], Conv(weights(RNG, 3, 4, 3, 3)), Neuron(0.25, 0.5, np.inf))
    given = spikes(np.random.default_rng(1), on_grid(network, 1 / 32))
    network = on_grid(network, 1 / 32)
    chip = quantise(network, readout="membrane")
    assert chip.layers[-1].v_threshold == 131071
    found, expected = simulate(chip, given)["image"], run(network, given)["image"]
    # cut to 1/64 of a step of 1/32 at each of 6 steps, times the gain
    assert np.abs(found - expected).max() < 6 * 0.5 / (64 * 32)
    on_host = simulate(quantise(network), given)["image"]
    assert np.allclose(on_host, expected, atol=1e-12)


def test_a_leaky_membrane_is_no_sum() -> None:
    network = with_readout(ZOO["conv"], Conv(weights(RNG, 3, 4, 3, 3)), Neuron(0.25, 0.5, np.inf))
    with pytest.raises(ValueError, match=r'^image: .* use "membrane"'):
        quantise(network, readout="sigma")


def test_the_hosts_readout_may_take_several_layers() -> None:
    network = with_readout(ZOO["integrate"], Conv(weights(RNG, 3, 4, 1, 1)))
    both = replace(
        network.layers[-1], synapses=(*network.layers[-1].synapses, replace(network.layers[-1].synapses[0], source=0))
    )
    network = on_grid(replace(network, layers=(*network.layers[:-1], both)), 1 / 32)
    given = spikes(np.random.default_rng(1), network)
    chip = quantise(network)
    assert chip.sources == ("0", "1")
    assert np.allclose(simulate(chip, given)["image"], run(network, given)["image"])


def test_a_network_without_spiking_layers_is_refused() -> None:
    network = with_readout(ZOO["conv"], Conv(np.ones((1, 4, 1, 1))))
    only = replace(network.layers[-1], synapses=(replace(network.layers[-1].synapses[0], source=INPUT),))
    with pytest.raises(ValueError, match=r"^image: the network has no spiking layer"):
        quantise(Network((4, 8, 8), (only,), (1, 8, 8)))


def test_spikes_enter_as_they_are_and_counts_as_messages() -> None:
    network, rng = ZOO["conv"], np.random.default_rng(0)
    assert quantise(network, rng.integers(0, 2, (2, 2, 2, 8, 8))).message_bits == 0
    counts = rng.integers(0, 6, (4, 2, 2, 8, 8))
    counts[0, 0, 0, 0, 0] = 5
    chip = quantise(network, counts)
    assert (chip.message_bits, chip.encoder) == (3, None)
    found = simulate(chip, counts)["1"]
    assert (found != run(network, counts)["1"]).mean() < 0.05


@pytest.mark.parametrize("size", [0.37, 1000])
def test_other_values_enter_through_the_first_layer_on_the_host(size: float) -> None:
    network = ZOO["skip"]
    given = spikes(np.random.default_rng(1), network) * size
    chip = quantise(network, given)
    assert [layer.name for layer in chip.layers] == ["1", "2", "3"]
    found, expected = simulate(chip, given, ["0", "1"]), run(network, given, ["0", "1"])
    assert np.array_equal(found["0"], expected["0"])
    assert (found["1"] != expected["1"]).mean() < 0.03


def test_counts_whose_sums_would_wrap_enter_through_the_host() -> None:
    network = lively(chain((400,), Dense(weights(RNG, 10, 400)), Dense(weights(RNG, 5, 10))), RNG)
    counts = np.full((2, 1, 400), 255)
    assert quantise(network, counts).encoder is not None
    assert quantise(network, counts // 250).encoder is None


def test_real_values_may_not_reach_a_second_layer() -> None:
    with pytest.raises(ValueError, match=r"^2: real-valued input may reach only the first layer"):
        quantise(ZOO["skip of the input"], np.full((1, 1, 2, 8, 8), 0.5))


def test_one_layer_that_takes_real_values_leaves_nothing_for_the_chip() -> None:
    with pytest.raises(ValueError, match="no layer left for the chip"):
        quantise(chain((4,), Dense(weights(RNG, 3, 4))), np.full((1, 1, 4), 0.5))


def test_inputs_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        quantise(ZOO["dense"], np.full((1, 1, 20), np.nan))


@pytest.mark.parametrize("shape", [(20,), (3, 20), (3, 1, 21), (0, 1, 20)])
def test_inputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected samples of shape \(T, N, 20\)"):
        quantise(ZOO["dense"], np.zeros(shape))


# What cannot be.


def test_every_layer_that_cannot_be_is_named_at_once() -> None:
    small, rng = neuron(0.0, threshold=1e6), np.random.default_rng(0)
    network = chain((8,), Dense(np.zeros((5, 8))), Dense(weights(rng, 5, 5)), Dense(weights(rng, 4, 5) * 1e-3))
    network = replace(network, layers=(*network.layers[:2], replace(network.layers[2], neuron=small)))
    with pytest.raises(Refusal) as caught:
        quantise(network)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["0", "2"]
    assert "all of them are zero" in lines[0]
    assert "round to zero" in lines[1]


def test_sums_that_could_pass_the_current_are_refused_and_not_rescaled() -> None:
    most = (1 << 17) // 127  # inputs of weight 127 that still fit: 1,032
    weight = np.ones((1, most + 1))
    weight[0, 0] = 0.5 + 1 / 254  # no grid
    with pytest.raises(Refusal, match=r"^0: sums .* could reach 131,\d\d\d, .* wraps around at 131,072"):
        quantise(chain((most + 1,), Dense(weight), neurons=neuron(0.0)))
    quantise(chain((most,), Dense(weight[:, :-1]), neurons=neuron(0.0)))
    negative = np.concatenate([-weight, [[0.5] + [0.0] * most]])
    with pytest.raises(Refusal, match=r"^0: sums"):
        quantise(chain((most + 1,), Dense(negative), neurons=neuron(0.0)))


def test_integers_of_both_signs_add_up_to_all_weights_together() -> None:
    weight = np.ones((1, 1000))
    weight[0, ::2], weight[0, 0] = -1.0, 0.5 + 1 / 254  # no grid; 500 x 127 x 2 < 2^17 < 1,000 x 127 x 2
    network = chain((1000,), Dense(weight), Dense(np.ones((1, 1))), neurons=neuron(0.0))
    inputs = np.full((1, 1, 1000), 2.0)
    inputs[..., ::2] = -2
    assert quantise(network, inputs).encoder is not None


@pytest.mark.parametrize("options", [{"readout": "hots"}, {"loader": "stok"}])
def test_an_option_that_is_not_known_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^(readout|loader): expected one of .*, got '(hots|stok)'$"):
        quantise(ZOO["dense"], **options)


def test_a_linear_before_a_map_sums_over_its_inputs_and_not_over_all_its_pixels() -> None:
    up = ConvTranspose(weights(RNG, 2, 2, 4, 4), (2, 2), (1, 1))
    linear = np.ones((2 * 49, 512))  # 65,024 onto a neuron, 3,186,176 in a kernel of all pixels
    linear[0, 0] = 0.5 + 1 / 254  # no grid
    chip = quantise(chain((512,), (Dense(linear), (2, 7, 7)), up, neurons=neuron(0.0)))
    assert chip.layers[0].weight.max() == 127


def test_a_map_too_large_to_be_written_out_names_its_way_out() -> None:
    odd = ConvTranspose(weights(RNG, 64, 64, 3, 3), (2, 2))
    network = chain((64, 8, 8), odd)
    with pytest.raises(Refusal, match=r'^0: .*written out in full.*loader="extended"'):
        quantise(network)
    assert quantise(network, loader="extended").layers[0].kind == "convT"


def test_all_maps_that_are_too_large_are_named_at_once() -> None:
    network = chain((64, 8, 8), *(ConvTranspose(weights(RNG, 64, 64, 3, 3), (2, 2)) for _ in range(2)))
    with pytest.raises(Refusal) as caught:
        quantise(network)
    assert [line[:2] for line in str(caught.value).splitlines()] == ["0:", "1:"]


@pytest.mark.parametrize("least", range(1, 128))
def test_what_is_written_of_purely_negative_weights_is_what_lava_multiplies_by(least: int) -> None:
    weight = _free_of_traps(-np.array([[least, least // 2, least // 3], [1, 0, least]], np.int32), "dense")
    multiplies, shift = dense_weights(weight.astype(np.int64), "layer 0")
    assert (np.array_equal(multiplies, weight) and shift == 0) == (least > 1)
    assert np.abs(weight + np.array([[least, least // 2, least // 3], [1, 0, least]])).max() <= 1


def test_dense_weights_of_0_and_minus_1_are_refused() -> None:
    network = chain((3,), Dense(-np.array([[1.0, 0.0, 1.0]])), neurons=neuron(0.0, threshold=1e5))
    network = replace(network, layers=(replace(network.layers[0], bias=np.array([4000.0])),))
    with pytest.raises(Refusal, match=r"^0: weights of 0 and -1 only"):
        quantise(network)


def test_purely_negative_dense_weights_avoid_the_power_of_two_that_lava_spoils() -> None:
    weight = -np.array([[1.0, 0.031], [0.5, 0.27]])
    network = replace(
        chain((2,), Dense(weight)), layers=(replace(chain((2,), Dense(weight)).layers[0], bias=np.array([63.98, 5.0])),)
    )
    layer = quantise(network).layers[0]
    least = -int(layer.weight.min())
    assert least & (least - 1), "the least weight is a power of two"
    # S = 4095 / 63.98 = 64.005, so -1 would be -64
    assert least == 63
