"""The report's numbers, counted by hand or by torch, and what three ways of running agree on."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import export
from export.chip import Chip, ChipLayer, Layout
from export.energy import LOIHI1, LOIHI2, Work, dense_microjoules, energy
from export.limits import LOIHI1 as CHIP_1
from export.network import Conv, ConvTranspose, Dense, Layer, Network, Synapses
from export.reporting import Report
from export.samples import samples
from tests.export.zoo import chain, lively, spikes, with_skip, zoo

STEPS, SAMPLES = 6, 2


def _hand_made(**options: object) -> Chip:
    """Two inputs onto one neuron that fires where both come, then a copy of it onto two."""
    first = ChipLayer("a", "dense", (1,), np.array([[3, 3]], np.int32), 5, 4096, Layout((1,)))
    last = ChipLayer("b", "dense", (2,), np.array([[2], [0]], np.int32), 1, 4096, Layout((2,)))
    return replace(Chip((2,), (first, last), (2,)), **options)


GIVEN = np.array([[[1, 1], [1, 0]], [[0, 0], [1, 1]], [[1, 1], [1, 1]]], np.float64)  # (3, 2, 2)


def test_spikes_and_accumulates_of_a_network_that_can_be_counted() -> None:
    a, b = export.report(_hand_made(), GIVEN).layers
    assert (a.spikes, b.spikes) == (2, 2)  # four times both inputs come, in two samples
    assert (a.accumulates, b.accumulates) == (4.5, 2)  # nine spikes onto one synapse each; one of two weights is zero
    assert (a.rate, b.rate) == (4 / 6, 4 / 12)
    assert (a.updates, b.updates) == (3, 6)
    assert (a.synapses, b.synapses) == (2, 1)


def test_totals_add_up_and_dense_operations_take_every_synapse_at_every_step() -> None:
    totals = export.report(_hand_made(), GIVEN).totals
    assert (totals.neurons, totals.synapses, totals.updates) == (3, 3, 9)
    assert (totals.spikes, totals.accumulates, totals.dense_operations) == (4, 6.5, 9)
    assert (totals.cores.at_least, totals.chips.at_least) == (2, 1)  # a core holds one layer


def test_energy_is_the_sum_of_its_constants() -> None:
    work = Work(accumulates=100, updates=50, spikes=10)
    assert energy(work, LOIHI1).microjoules == pytest.approx((100 * 23.6 + 40 * 52 + 10 * (81 + 1.7)) / 1e6)
    assert energy(work, LOIHI2).microjoules == pytest.approx(680 / 1e6)
    assert dense_microjoules(1000) == pytest.approx(0.0046)


def test_integers_as_input_count_as_one_message_each() -> None:
    chip = _hand_made(message_bits=3)
    first = export.report(chip, GIVEN * 5).layers[0]
    assert first.accumulates == 4.5
    assert first.reach.u == 30  # 5 x (3 + 3)


@pytest.mark.parametrize("kind", ["dense", "conv", "strided", "transposed", "upsampled"])
def test_quantised_and_simulated_agree_where_nothing_is_cut_off(kind: str) -> None:
    """A leak of 1/2 over six steps keeps every membrane a multiple of 1/64: truncation has nothing to cut."""
    rng = np.random.default_rng(1)
    network = zoo(rng)[kind]
    given = spikes(rng, network)
    report = export.report(export.quantise(network, given), given, network)
    found = report.agreement
    assert found.quantised_simulated == 0
    assert found.float_simulated == found.float_quantised
    assert 0 < found.spikes < found.entries == sum(int(np.prod(layer.shape)) for layer in network.layers) * 12


def test_what_the_chip_cuts_off_is_counted_apart_from_rounding() -> None:
    """Membranes tend to 30 x 4096 / 1365 = 90.02; cut off at 1/64 in every step, to 5759 / 64 = 89.98 at most."""
    layer = ChipLayer("n", "dense", (1,), np.array([[30]], np.int32), 90, 1365, Layout((1,)))
    report = export.report(Chip((1,), (layer,), (1,)), np.ones((40, 1, 1)))
    assert report.outputs["quantised"].sum() == 1
    assert report.outputs["simulated"].sum() == 0
    assert report.agreement.quantised_simulated == 1


def test_samples_of_another_shape_are_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"^the network takes spikes of shape \(T, N, 2\), these are \(3, 2, 3\)$"):
        export.report(_hand_made(), np.ones((3, 2, 3)))


def test_without_a_network_nothing_is_said_of_floats() -> None:
    report = export.report(_hand_made(), GIVEN)
    assert report.agreement.float_simulated is None
    assert report.agreement.quantised_simulated == 0
    assert set(report.outputs) == {"quantised", "simulated"}


def test_outputs_are_those_of_the_network_and_of_the_simulator() -> None:
    rng = np.random.default_rng(2)
    network = zoo(rng)["transposed"]
    given = spikes(rng, network)
    chip = export.quantise(network, given)
    outputs = export.report(chip, given, network).outputs
    last = network.layers[-1].name
    assert np.array_equal(outputs["float"], export.run(network, given)[last])
    assert np.array_equal(outputs["simulated"], export.simulate(chip, given)[last])


def test_a_read_out_has_a_distance_and_no_spikes() -> None:
    rng = np.random.default_rng(3)
    spiking = lively(chain((4,), Dense(rng.normal(0, 1, (6, 4)))), rng)
    readout = Layer("out", (2,), (Synapses(0, Dense(rng.normal(0, 1, (2, 6)))),), np.array([0.5, -0.5]), None)
    network = Network((4,), (*spiking.layers, readout), (2,))
    given = spikes(rng, network)
    for way in ("host", "membrane", "sigma"):
        report = export.report(export.quantise(network, given, readout=way), given, network)
        assert report.readout is not None
        floats, simulated = report.outputs["float"], report.outputs["simulated"]
        assert report.readout.float_simulated == pytest.approx(float(np.sqrt(np.mean((floats - simulated) ** 2))))
        assert report.readout.rms == pytest.approx(float(np.sqrt(np.mean(simulated**2))))
        assert report.readout.float_simulated < 0.3 * report.readout.rms
        if way != "host":
            assert report.layers[-1].agreement is None
            assert report.layers[-1].spikes == 0


def test_carried_spikes_cost_and_are_left_out_of_the_rate() -> None:
    rng = np.random.default_rng(4)
    same = Conv(rng.normal(0, 1, (2, 2, 3, 3)), padding=(1, 1, 1, 1))
    network = lively(with_skip(chain((2, 4, 4), same, same, same), 2, 0, Conv(np.full((2, 2, 1, 1), 0.4))), rng)
    given = spikes(rng, network)
    chip = export.quantise(network, given)
    middle = export.report(chip, given, network).layers[1]
    probes = export.simulate(chip, given, [network.layers[0].name, network.layers[1].name])
    own, carried = (probes[network.layers[index].name] for index in (1, 0))
    assert middle.relays == 32
    assert middle.own_weights == 36  # 2 x 2 x 3 x 3
    assert middle.weights == 36  # two of them are 0 in 8 bits, two carry channels on
    assert middle.rate == own.mean()
    assert middle.spikes == (own.sum() + carried.sum()) / SAMPLES


def test_all_numbers_survive_json() -> None:
    rng = np.random.default_rng(5)
    network = lively(chain((2, 4, 4), ConvTranspose(rng.normal(0, 1, (2, 3, 4, 4)), (2, 2), (1, 1))), rng)
    given = spikes(rng, network)
    report = export.report(export.quantise(network, given, per_channel=True), given, network)
    values = json.loads(json.dumps(report.to_dict()))
    assert values["agreement"]["entries"] == report.agreement.entries
    assert values["layers"][0]["cores"] == {"at_least": 1, "at_most": report.layers[0].cores.at_most}
    assert "outputs" not in values
    assert len(values["energy"]) == 3
    assert (values["reset_interval"], values["reset_offset"], values["latency"]) == (STEPS, 1, 1)


def test_a_silent_layer_and_a_fan_in_beyond_the_chip_are_warned_of() -> None:
    silent = replace(_hand_made().layers[0], v_threshold=100)
    report = export.report(Chip((2,), (silent,), (1,)), GIVEN)
    assert report.warnings == ("a: no neuron fires in any sample",)
    wide = ChipLayer("w", "dense", (1,), np.ones((1, 5000), np.int32), 0, 0, Layout((1,)))
    report = export.report(Chip((5000,), (wide,), (1,)), np.ones((1, 1, 5000)), limits=CHIP_1)
    assert report.warnings == ("w: 5,000 inputs to a neuron, a core takes 4,096",)


def test_a_membrane_that_could_saturate_is_warned_of() -> None:
    heavy = ChipLayer("h", "dense", (1,), np.full((1, 1000), -100, np.int32), 0, 0, Layout((1,)))
    report: Report = export.report(Chip((1000,), (heavy,), (1,)), np.zeros((2, 1, 1000)))
    assert report.layers[0].reach.v == 200_000
    assert any(line.startswith("h: a membrane could reach 200,000") for line in report.warnings)


def test_samples_hold_what_enters_and_what_leaves_each_layer_as_the_file_has_it() -> None:
    found = samples(_hand_made(), GIVEN)
    assert np.array_equal(found["spikes"], GIVEN)
    assert found["layer0"][:, :, 0].tolist() == [[1, 0], [0, 1], [1, 1]]
    assert found["layer1"].tolist() == [[[1, 0], [0, 0]], [[0, 0], [1, 0]], [[1, 0], [1, 0]]]
    assert {array.dtype for array in found.values()} == {np.dtype(np.uint8)}
