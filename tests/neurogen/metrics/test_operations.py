"""Operations counted while a network runs, against counts by hand and by loops over every connection."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from neurogen.blocks import Downsample, Folded, GatedResidual, ReadOut, SpikingAttention, SpikingResidual
from neurogen.blocks.attention_state import CountMatrix
from neurogen.blocks.causal_attention import CausalSpikingAttention
from neurogen.config import NeuronConfig, PriorModelConfig
from neurogen.metrics.operations import Operations, counted_operations
from neurogen.models.bits_in_turn import HIDDEN, BitsInTurn
from neurogen.models.embedding import BitTable
from neurogen.models.prior import SpikingPrior
from neurogen.neurons import LIF, Gate
from tests.neurogen.tiny import NEURON, prior_config

NEURONS = NeuronConfig(**NEURON)


@torch.no_grad()
def counted(network: nn.Module, *inputs: Tensor) -> Operations:
    with counted_operations(network.eval()) as found:
        network(*inputs)
    return found


def spikes(*shape: int, rate: float = 0.3) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < rate).float()


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(2, 3, 3, 2, 1), nn.ConvTranspose2d(2, 3, 4, 2, 1)], ids=["convolution", "transposed"]
)
def test_every_spike_accumulates_at_the_outputs_it_reaches(layer: nn.Module) -> None:
    x = spikes(4, 2, 6, 6)
    ones = type(layer)(2, 3, layer.kernel_size, layer.stride, layer.padding, bias=False)
    nn.init.ones_(ones.weight)
    expected = 0
    for place in x.nonzero().tolist():  # one spike after another, through weights of one
        impulse = torch.zeros(1, *x.shape[1:])
        impulse[(0, *place[1:])] = 1
        expected += int((ones(impulse) != 0).sum())
    work = counted(nn.Sequential(layer), x).layers["0"]
    assert (work.accumulates, work.multiplies) == (expected, 0)


def test_real_inputs_multiply_at_every_connection_even_where_they_are_zero() -> None:
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 0.5
    work = counted(nn.Sequential(nn.Conv2d(1, 2, 3, 1, 1)), x).layers["0"]
    assert (work.accumulates, work.multiplies, work.nonzero_multiplies) == (0, 2 * (4 * 4 + 4 * 6 + 9), 2 * 9)


@pytest.mark.parametrize("order", [(1.0, 2.0), (2.0, 1.0)], ids=str)
def test_a_layer_that_once_had_a_real_input_multiplies_in_all(order: tuple[float, float]) -> None:
    network = nn.Sequential(nn.Linear(4, 5))
    with counted_operations(network) as found:
        for value in order:
            network(torch.full((1, 3, 4), value))
    assert (found.layers["0"].accumulates, found.layers["0"].multiplies) == (0, 2 * 3 * 4 * 5)


def test_a_convolution_behind_a_gate_multiplies_and_behind_a_neuron_accumulates() -> None:
    x = torch.full((2, 1, 1, 4, 4), 1.5)
    conv = Folded(nn.Conv2d(1, 1, 1))
    gated = counted(nn.Sequential(Gate(LIF(decay_input=False)), conv), x).layers["1.layer"]
    spiking = counted(nn.Sequential(LIF(decay_input=False), conv), x).layers["1.layer"]
    assert (gated.accumulates, gated.multiplies) == (0, 2 * 16)
    assert (spiking.accumulates, spiking.multiplies) == (2 * 16, 0)


def test_all_convolutions_of_a_gated_block_multiply() -> None:
    found = counted(GatedResidual(32, 64, 0.0, NEURONS), torch.randn(2, 1, 32, 4, 4)).layers
    per_place = 10 * 10  # of a row, 4 inputs reach 2, 3, 3, 2 outputs
    assert found["conv1"].multiplies == 2 * 32 * 64 * per_place
    assert found["conv2"].multiplies == 2 * 64 * 64 * per_place
    assert found["shortcut"].multiplies == 2 * 32 * 64 * 16
    assert found["norm1"].multiplies == 2 * 2 * 32 * 16
    assert not any(work.accumulates for work in found.values())


def test_the_second_synapse_of_a_residual_adds_once_a_spike() -> None:
    x = spikes(2, 3, 4, 5, 5)
    found = counted(SpikingResidual(4, NEURONS), x).layers
    assert found["gain"].accumulates == int(x.sum())
    assert not any(work.multiplies for work in found.values())


def test_the_zeros_that_halving_adds_are_no_inputs() -> None:
    work = counted(Downsample(1), torch.full((1, 1, 1, 4, 4), 0.5)).layers["conv"]
    assert work.multiplies == (1 + 1 + 2 + 1) ** 2  # of a row, input 2 alone is met by two outputs
    assert work.nonzero_multiplies == work.multiplies


@pytest.mark.parametrize(("readout", "multiplies"), [("mean", True), ("all", False), ("last", False)])
def test_a_read_out_multiplies_after_a_mean_over_steps(readout: str, multiplies: bool) -> None:
    features = spikes(4, 2, 3, 4, 4)
    work = counted(ReadOut(3, 1, 3, 1, readout, 4, "tanh"), features).layers["conv"]
    assert bool(work.multiplies) is multiplies
    assert bool(work.accumulates) is not multiplies


def attention(**settings: object) -> CausalSpikingAttention:
    model = PriorModelConfig(codes=8, height=2, width=3, steps=2, dim=8, heads=2, layers=1, **settings)
    torch.manual_seed(0)
    return CausalSpikingAttention(model, NEURONS)


def made_spikes(layer: CausalSpikingAttention, x: Tensor) -> Tensor:
    """q, k, v: (3, T, N, h, L, d)."""
    layer.neuron.reset()
    with torch.no_grad():
        return torch.stack(layer._spikes(x))


def test_causal_attention_counts_pairs_of_spikes_and_reads_of_its_memory() -> None:
    layer, x = attention(), 3 * torch.randn(2, 3, 6, 8)
    q, k, v = made_spikes(layer, x)
    expected = 0
    for t, n, h, i in product(range(2), range(3), range(2), range(6)):
        for a in range(4):
            for b in range(4):
                expected += int(k[t, n, h, i, a] * v[t, n, h, i, b])  # into the memory
                expected += int(q[t, n, h, i, a])  # out of it
    work = counted(layer, x).layers["products"]
    assert expected > 0
    assert (work.accumulates, work.multiplies) == (expected, 2 * 3 * 6 * 8)  # the scale
    assert work.dense(3) == 3 * 6 * (2 * 2 * 4 * 4 + 8)


def test_causal_attention_with_gains_counts_what_meets_its_lists() -> None:
    layer, x = attention(offset_gains=True), 3 * torch.randn(2, 3, 6, 8)
    q, _, v = made_spikes(layer, x)
    adds = gains = 0
    for t, n, h, i in product(range(2), range(3), range(2), range(6)):
        for j in range(i + 1):
            gains += 1
            adds += int(q[t, n, h, i].sum() + v[t, n, h, j].sum())
    work = counted(layer, x).layers["products"]
    assert (work.accumulates, work.multiplies) == (adds, gains + 2 * 3 * 6 * 8)


@pytest.mark.parametrize("size", [2, 8])
def test_attention_between_sites_takes_the_smaller_matrix(size: int) -> None:
    channels, sites = 32, size**2
    layer = SpikingAttention(channels, NEURONS).eval()
    q_spikes: list[Tensor] = []
    k_spikes: list[Tensor] = []
    layer.query_neuron.register_forward_hook(lambda _m, _x, y: q_spikes.append(y))
    layer.key_neuron.register_forward_hook(lambda _m, _x, y: k_spikes.append(y))
    work = counted(layer, 3 * torch.randn(2, 1, channels, size, size)).layers["products"]
    q, k = int(q_spikes[0].sum()), int(k_spikes[0].sum())
    scale = 2 * channels * sites
    if channels < sites:
        assert (work.accumulates, work.multiplies) == ((q + k) * channels, scale)
        assert work.dense(1) == 2 * channels**2 * sites + scale / 2
    else:
        assert (work.accumulates, work.multiplies) == (q * sites, 2 * channels * sites**2 + scale)
        assert work.dense(1) == 2 * channels * sites**2 + scale / 2


def test_a_bit_adds_a_row_and_bits_outside_share_one() -> None:
    bits = torch.tensor([[1, 0, 1], [-1, -1, -1]])
    assert counted(nn.Sequential(BitTable(3, 5, outside=True)), bits).layers["0"].accumulates == (3 + 1) * 5


def test_bits_in_turn_add_their_rows_and_read_them() -> None:
    found = counted(BitsInTurn(7, 4), torch.randn(2, 3, 7), torch.ones(2, 3, 4)).layers
    assert found["enter"].multiplies == 6 * 7 * HIDDEN
    assert (found[""].accumulates, found[""].multiplies) == (6 * 3 * HIDDEN, 6 * 4 * HIDDEN)


def test_a_dense_network_runs_once_whatever_the_steps() -> None:
    for steps in (1, 4):
        block = counted(SpikingResidual(4, NEURONS), spikes(steps, 3, 4, 5, 5)).layers
        assert block["conv"].dense(3) == 3 * 4 * 4 * 13 * 13  # of a row, 5 inputs reach 2, 3, 3, 3, 2 outputs


def test_neurons_count_updates_and_spikes() -> None:
    x = torch.tensor([2.0, 0.0, 0.0, 2.0, 2.0, 2.0]).view(3, 1, 2)
    neurons = counted(nn.Sequential(LIF(tau=2.0, decay_input=False)), x).neurons["0"]
    assert (neurons.updates, neurons.spikes, neurons.rate) == (6, 4, 4 / 6)


def test_counting_in_parts_adds_up_to_counting_at_once() -> None:
    x = spikes(2, 6, 4, 5, 5)
    network = SpikingResidual(4, NEURONS).eval()
    whole = counted(network, x)
    with counted_operations(network) as parts, torch.no_grad():
        for part in x.split(4, 1):
            network.first.neuron.reset()
            network.neuron.reset()
            network(part)
    assert parts == whole


def test_counting_changes_no_output_and_leaves_no_hook() -> None:
    network = GatedResidual(32, 32, 0.0, NEURONS).eval()
    x = torch.randn(2, 1, 32, 4, 4)
    plain = network(x)
    network.gate1.neuron.reset()
    network.gate2.neuron.reset()
    with counted_operations(network):
        assert torch.equal(network(x), plain)
    assert not any(module._forward_hooks for module in network.modules())


def test_drawing_codes_one_by_one_does_what_running_over_them_at_once_does() -> None:
    config = prior_config()
    torch.manual_seed(0)
    prior = SpikingPrior(config.model, config.neurons).eval()
    assert isinstance(prior.start()[0], CountMatrix)
    labels = torch.tensor([0, 2])
    with counted_operations(prior) as drawing:
        codes = prior.sample(torch.rand(2, prior.order.uniforms, dtype=torch.float64), labels)
    at_once = counted(prior, codes, labels)
    assert drawing.neurons == at_once.neurons
    for name, work in at_once.layers.items():
        if "tables" not in name and "labels" not in name:  # the start token and the last code have no row to add
            assert (name, work.accumulates) == (name, drawing.layers[name].accumulates)
            assert (name, work.multiplies) == (name, drawing.layers[name].multiplies)
