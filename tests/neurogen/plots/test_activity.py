"""Spikes and membranes as they are recorded for pictures."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from neurogen.neurons import IF, LIF, PLIF, Gate
from neurogen.neurons.delayed_reset import DelayedReset
from neurogen.plots.activity import watched_neurons


def test_membranes_are_those_of_the_equation() -> None:
    network = nn.Sequential(LIF(tau=2.0, decay_input=False, v_threshold=1.0))
    with watched_neurons(network) as found:
        network(torch.tensor([0.5, 0.5, 0.5, 0.0]).view(4, 1, 1))
    before, after = found["0"].membranes()
    assert before.flatten().tolist() == [0.5, 0.75, 0.875, 0.4375]
    assert after.flatten().tolist() == before.flatten().tolist()
    with watched_neurons(network) as found:
        network[0].reset()
        network(torch.tensor([0.75, 0.75, 1.5]).view(3, 1, 1))
    before, after = found["0"].membranes()
    assert before.flatten().tolist() == [0.75, 1.125, 1.5]
    assert after.flatten().tolist() == [0.75, 0.0, 0.0]
    assert found["0"].rate == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "neuron",
    [
        LIF(tau=2.0, decay_input=False),
        LIF(tau=1.7, decay_input=True, v_reset=None),
        IF(v_threshold=0.7, v_reset=-0.2),
        PLIF(init_tau=2.0),
    ],
    ids=["hard", "soft", "no-leak", "learned"],
)
def test_a_neuron_fires_exactly_where_its_membrane_is_at_the_threshold(neuron: nn.Module) -> None:
    x = torch.randn(5, 3, 40, generator=torch.Generator().manual_seed(0)) + 0.4
    with torch.no_grad(), watched_neurons(nn.Sequential(neuron)) as found:
        spikes = neuron(x)
    before, after = found["0"].membranes()
    assert torch.equal(before >= neuron.v_threshold, spikes.bool())
    assert 0 < spikes.mean() < 1
    assert torch.allclose(after[-1], neuron.v, atol=1e-6)


def test_a_late_reset_takes_the_threshold_one_step_after_the_spike() -> None:
    neuron, given = DelayedReset(beta=0.5), [1.5, 1.5, 0.0, 1.0, 2.0]
    with torch.no_grad(), watched_neurons(nn.Sequential(neuron)) as found:
        spikes = neuron(torch.tensor(given).view(5, 1, 1))
    u, expected = 0.0, []
    for x in given:
        u = 0.5 * u + x - (u > 1)
        expected.append(u)
    assert found["0"].membranes()[0].flatten().tolist() == expected
    assert spikes.flatten().tolist() == [float(u > 1) for u in expected] == [1, 1, 0, 0, 1]


def test_watching_changes_no_output_and_leaves_no_hook() -> None:
    network = nn.Sequential(Gate(LIF(tau=2.0)), LIF(tau=2.0))
    x = 2 * torch.randn(4, 2, 8)
    plain = network(x)
    network[0].neuron.reset()
    network[1].reset()
    with watched_neurons(network) as found:
        assert torch.equal(network(x), plain)
    assert list(found) == ["0.neuron", "1"]
    assert not any(layer._forward_hooks for layer in network.modules())
