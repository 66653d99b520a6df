"""Firing rates of layers."""

from __future__ import annotations

import torch
from torch import nn

from neurogen.neurons import LIF, Gate
from neurogen.rates import firing_rates, neuron_names, watched_rates


def test_a_rate_is_the_share_of_spikes() -> None:
    network = nn.Sequential(LIF(tau=2.0, decay_input=False, v_threshold=1.0))
    x = torch.tensor([2.0, 0.0, 0.0, 2.0]).view(2, 1, 2)  # two steps, two neurons: each fires once
    assert firing_rates(network, x) == {"0": 0.5}


def test_neurons_inside_gates_are_seen() -> None:
    network = nn.Sequential(Gate(LIF(tau=2.0, decay_input=False)))
    assert firing_rates(network, torch.full((3, 1, 4), 2.0)) == {"0.neuron": 1.0}
    assert neuron_names(network) == ["0.neuron"]


def test_watching_changes_no_output_and_leaves_no_hook() -> None:
    network = nn.Sequential(Gate(LIF(tau=2.0)))
    x = torch.randn(4, 2, 8)
    plain = network(x)
    network[0].neuron.reset()
    with watched_rates(network):
        watched = network(x)
    assert torch.equal(plain, watched)
    assert not network[0].neuron._forward_hooks


def test_the_mode_of_the_network_is_kept() -> None:
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Flatten(0, 0)).train()
    firing_rates(network, torch.randn(4, 3))
    assert network.training
