"""The parts of a network of one piece that go to a chip: with the host's part around them they are the network."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import export
from export.network import Network
from neurogen.config_fsvae import FSVAEConfig
from neurogen.exporting import settled
from neurogen.models.fsvae import FSVAE
from neurogen.models.latent_on_chip import latent_half
from neurogen.models.on_chip import Half

ITEMS, STEPS = 6, 4


@functools.cache
def fsvae(coding: str = "direct") -> tuple[FSVAE, Tensor, Tensor]:
    """A network whose norms have seen data, items, and uniforms that encode them."""
    torch.manual_seed(0)
    event = coding == "event"
    config = FSVAEConfig.model_validate(
        {
            "system": "fsvae",
            "data": {"name": "digits" if event else "mnist", "resolution": 8, "channels": 2 if event else 1},
            "model": {"steps": STEPS, "coding": coding, "widths": (6, 8), "channels": 5, "candidates": 4, "hidden": ()},
        }
    )
    network = FSVAE(config)
    for module in network.modules():  # an untrained decoder is silent
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, 0.1)
    x = torch.rand(ITEMS, *((STEPS, 2) if event else (1,)), 8, 8) * 2 - 1
    for _ in range(30):
        network.training_losses(x, torch.zeros(ITEMS, dtype=torch.int64), 0.0)
    return network.eval(), x, torch.rand(ITEMS, network.encoding_draws, dtype=torch.float64)


def read(half: Half, x: Tensor) -> tuple[Network, np.ndarray]:
    with torch.no_grad():
        inputs = half.inputs(x).clone()
        return settled(export.read(half.module, inputs), half), inputs.numpy()


def made(half: Half, network: Network, given: np.ndarray) -> Tensor:
    with torch.no_grad():
        return half.finish(torch.from_numpy(export.run(network, given)[network.layers[-1].name]).float())


@pytest.mark.parametrize("last", ["host", "membrane", "sigma"])
@pytest.mark.parametrize("coding", ["direct", "event"])
def test_an_fsvae_s_decoder_and_the_host_make_what_the_network_makes(coding: str, last: str) -> None:
    model, x, uniforms = fsvae(coding)
    half = latent_half(model, "decoder", "host", last, uniforms)  # type: ignore[arg-type]
    network, given = read(half, x)
    with torch.no_grad():
        expected = model.decode(model.encode(x, uniforms))
    assert np.isin(given, (0, 1)).all() and 0.05 < given.mean() < 0.95
    assert expected.std() > 0.01
    assert torch.allclose(made(half, network, given), expected, atol=1e-5)


@pytest.mark.parametrize("coding", ["direct", "event"])
def test_an_fsvae_s_encoder_leaves_spikes_from_which_the_host_draws_the_latent(coding: str) -> None:
    model, x, uniforms = fsvae(coding)
    half = latent_half(model, "encoder", "host", "host", uniforms)
    network, given = read(half, x)
    with torch.no_grad():
        expected = model.decode(model.encode(x, uniforms))
    assert network.layers[-1].neuron is not None and network.output_shape == (5,)
    assert torch.allclose(made(half, network, given), expected, atol=1e-5)


@pytest.mark.parametrize("last", ["membrane", "sigma"])
def test_an_fsvae_s_read_out_on_the_chip_is_the_host_s_but_for_8_bit_weights(last: str) -> None:
    model, x, uniforms = fsvae()
    half = latent_half(model, "decoder", "host", last, uniforms)  # type: ignore[arg-type]
    network, given = read(half, x)
    chip = export.quantise(network, given, readout=last)  # type: ignore[arg-type]
    *_, spiking, linear = chip.layers
    assert linear.output == last
    found = export.simulate(chip, given, [spiking.name])
    with torch.no_grad():
        expected = model.readout(torch.from_numpy(found[spiking.name]).float())
        shown = half.finish(torch.from_numpy(found[linear.name]).float())
    assert expected.std() > 0.01
    assert float((shown - expected).square().mean().sqrt()) < 0.03 * float(expected.std())


def test_what_draws_the_latent_is_told_and_does_not_leave_in_one_piece() -> None:
    model, _, uniforms = fsvae()
    assert "one of 4 spikes is picked by chance" in latent_half(model, "encoder", "host", "host", uniforms).host[0]
    with pytest.raises(ValueError, match="expected --part decoder or encoder of this model, got whole: between them"):
        latent_half(model, "whole", "host", "host", uniforms)
