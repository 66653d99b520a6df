"""The parts of autoencoders of one network that go to a chip: with the host's part around them they are the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import export
from neurogen.config_vae import VAEConfig
from neurogen.models.fsvae import FSVAE
from neurogen.models.latent_on_chip import latent_half
from neurogen.models.vae import VAE
from tests.neurogen.models.awake import ITEMS, fsvae, fsvae_config, made, read, sae


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


def _fsvae_with(**model: object) -> FSVAE:
    config = fsvae_config()
    return FSVAE(config.model_copy(update={"model": config.model.model_copy(update=model)})).eval()


def test_a_latent_of_rates_is_told_as_stochastic_neurons() -> None:
    half = latent_half(_fsvae_with(latent="rate"), "decoder", "host", "host", torch.rand(1, 1))
    assert "one stochastic neuron each" in half.host[0]


def test_attention_over_steps_reads_out_on_the_host_only() -> None:
    model = _fsvae_with(readout="attention")
    assert latent_half(model, "decoder", "host", "host", torch.rand(1, 1)).finish is model.readout
    with pytest.raises(ValueError, match="expected --readout host: this model weighs steps by what they show"):
        latent_half(model, "decoder", "host", "membrane", torch.rand(1, 1))


@pytest.mark.parametrize(
    ("part", "last"),
    [(part, last) for part in ("decoder", "whole") for last in ("host", "membrane", "sigma")] + [("encoder", "host")],
)
def test_an_sae_of_a_chip_s_neurons_leaves_in_parts_and_whole(part: str, last: str) -> None:
    model, x, uniforms = sae("lif")
    half = latent_half(model, part, "host", last, uniforms)  # type: ignore[arg-type]
    network, given = read(half, x)
    with torch.no_grad():
        expected = model.decode(model.encode(x, uniforms))
    assert expected.std() > 0.01
    assert torch.allclose(made(half, network, given), expected, atol=1e-5)
    assert (
        len([layer for layer in network.layers if layer.neuron is not None and np.isfinite(layer.neuron.threshold)])
        == ({"encoder": 3, "decoder": 3, "whole": 6}[part])
    )


@pytest.mark.parametrize(("part", "neurons"), [("encoder", 3), ("decoder", 3), ("whole", 6)])
def test_an_sae_as_published_is_refused_neuron_by_neuron(part: str, neurons: int) -> None:
    model, x, uniforms = sae("delayed")
    with pytest.raises(export.Refusal) as refusal:
        read(latent_half(model, part, "host", "host", uniforms), x)
    lines = str(refusal.value).splitlines()
    assert len(lines) == neurons
    assert all("DelayedReset" in line and "it subtracts at a spike (v_reset=None)" in line for line in lines)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_vae_is_refused_activation_by_activation(part: str) -> None:
    config = {"system": "vae", "data": {"name": "mnist", "resolution": 8, "channels": 1}, "model": {"widths": (4, 6)}}
    model = VAE(VAEConfig.model_validate(config)).eval()
    uniforms = torch.rand(ITEMS, model.encoding_draws, dtype=torch.float64)
    with pytest.raises(export.Refusal) as refusal:
        read(latent_half(model, part, "host", "host", uniforms), torch.rand(ITEMS, 1, 8, 8))
    lines = str(refusal.value).splitlines()
    named = [line.split(": ")[:2] for line in lines]
    assert [pair for pair in named if pair[1] == "ReLU"] == [[f"network.stages.{i}.2", "ReLU"] for i in range(2)]
    # its first Linear has no activation
    assert named[: len(named) - 2] == ([["network.stages.0.0", "ConvTranspose2d"]] if part == "decoder" else [])


def test_a_vae_s_latents_are_drawn_between_its_halves() -> None:
    config = {"system": "vae", "data": {"name": "mnist", "resolution": 8, "channels": 1}, "model": {"widths": (4, 6)}}
    with pytest.raises(ValueError, match="expected --part decoder or encoder of this model, got whole"):
        latent_half(VAE(VAEConfig.model_validate(config)), "whole", "host", "host", torch.rand(1, 1))
