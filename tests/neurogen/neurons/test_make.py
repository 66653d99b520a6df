"""Neurons and gates from a configuration."""

from __future__ import annotations

import pytest
import torch

from neurogen.config import NeuronConfig
from neurogen.neurons import IF, LIF, PLIF, Gate, Rect, make_gate, make_neuron


def test_every_setting_reaches_the_neuron() -> None:
    config = NeuronConfig(
        tau=3.0,
        decay_input=False,
        threshold=0.7,
        reset=-0.1,
        detach_reset=False,
        surrogate="rect",
        alpha=4.0,
        backend="spikingjelly",
    )
    node = make_neuron(config)
    assert type(node) is LIF
    assert (node.tau, node.decay_input, node.v_threshold, node.v_reset) == (3.0, False, 0.7, -0.1)
    assert (node.detach_reset, node.backend, node.step_mode) == (False, "spikingjelly", "m")
    assert type(node.surrogate_function) is Rect
    assert node.surrogate_function.width == 0.25


def test_the_kinds_are_made() -> None:
    assert type(make_neuron(NeuronConfig(kind="if", reset=None))) is IF
    learned = make_neuron(NeuronConfig(kind="plif", tau=4.0))
    assert type(learned) is PLIF
    assert torch.sigmoid(learned.w).item() == pytest.approx(1 / 4.0)
    assert type(make_gate(NeuronConfig())) is Gate
