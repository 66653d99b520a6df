"""The parts of a network of one piece that go to a chip: with the host's part around them they are the network."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import export
from export.network import Network
from neurogen.config_fsvae import FSVAEConfig
from neurogen.config_gan import GANConfig
from neurogen.config_sae import SAEConfig
from neurogen.config_vae import VAEConfig
from neurogen.exporting import settled
from neurogen.models.fsvae import FSVAE
from neurogen.models.gan import Generator
from neurogen.models.latent_on_chip import latent_half
from neurogen.models.on_chip import Half
from neurogen.models.sae import SAE
from neurogen.models.vae import VAE

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


@functools.cache
def sae(kind: str) -> tuple[SAE, Tensor, Tensor]:
    """The tutorial's autoencoder in small, of neurons with its late subtractive reset or with a chip's."""
    torch.manual_seed(0)
    config = SAEConfig.model_validate(
        {
            "system": "sae",
            "data": {"name": "mnist", "resolution": 8, "channels": 1},
            "model": {"widths": (4, 6), "channels": 5, "bottleneck_norm": True, "steps": STEPS},
            "neurons": {"kind": kind, **({"reset": 0.0} if kind == "lif" else {})},
        }
    )
    network = SAE(config)
    for name, parameter in network.named_parameters():
        if name.endswith("norm.bias") or name == "decoder.first.layer.bias":
            nn.init.constant_(parameter, 0.7)
    x = torch.rand(ITEMS, 1, 8, 8) * 2 - 1
    for _ in range(30):
        network.training_losses(x, torch.zeros(ITEMS, dtype=torch.int64), 0.0)
    return network.eval(), x, torch.rand(ITEMS, 0, dtype=torch.float64)


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


@functools.cache
def generator(
    system: str, coding: str = "direct", scoring: str = "weights", classes: int = 0
) -> tuple[Generator, Tensor, Tensor | None]:
    """A generator whose norms have seen data, latents that it drew, and labels where it knows some."""
    torch.manual_seed(0)
    event = coding == "event"
    model = {"steps": STEPS, "coding": coding, "latent": 4, "hidden": 12, "start": 2, "widths": (6, 5)}
    config = GANConfig.model_validate(
        {
            "system": system,
            "data": {"name": "digits" if event else "mnist", "resolution": 8, "channels": 2 if event else 1},
            "model": model
            | {"scoring": scoring, "classes": classes, "discriminator": {"kind": "linear", "norm": "none"}},
            "neurons": {"threshold": 0.4},
        }
    )
    network = Generator(config)
    for name, parameter in network.named_parameters():
        if name.endswith("norm.bias"):
            nn.init.constant_(parameter, 0.4)
        if name == "output.layer.weight":
            parameter.data *= 4
    if isinstance(scoring_weights := getattr(getattr(network.output, "scoring", None), "weight", None), nn.Parameter):
        nn.init.normal_(scoring_weights)
    uniforms = torch.rand(ITEMS, network.draws, dtype=torch.float64)
    labels = torch.arange(ITEMS) % classes if classes else None
    for _ in range(30):
        network.judged(network.draw(uniforms, labels), labels)
    network.eval()
    return network, network.draw(uniforms, labels), labels


def check_generator(network: Generator, latents: Tensor, labels: Tensor | None, last: str) -> np.ndarray:
    """With the host's part it makes what the network makes; returns what enters."""
    half = latent_half(network, "decoder", "host", last, torch.rand(ITEMS, 0), labels)  # type: ignore[arg-type]
    found, given = read(half, latents)
    with torch.no_grad():
        expected = network.decode(latents, labels)
    assert expected.std() > 0.01
    assert torch.allclose(made(half, found, given), expected, atol=1e-5)
    return given


@pytest.mark.parametrize("last", ["host", "membrane", "sigma"])
@pytest.mark.parametrize("coding", ["direct", "event"])
@pytest.mark.parametrize(("system", "scoring"), [("swgan", "grey"), ("sgad", "weights"), ("sgad", "grey")])
def test_a_generator_and_the_host_s_output_stage_make_what_the_network_makes(
    system: str, scoring: str, coding: str, last: str
) -> None:
    check_generator(*generator(system, coding, scoring), last)


@pytest.mark.parametrize("coding", ["direct", "event"])
def test_a_generator_of_spikes_leaves_whole(coding: str) -> None:
    network, latents, labels = generator("sgan", coding)
    half = latent_half(network, "decoder", "host", "host", torch.rand(ITEMS, 0), labels)
    found, given = read(half, latents)
    chip = export.quantise(found, given)
    assert chip.readout is None and chip.layers[-1].output == "spikes"
    check_generator(network, latents, labels, "host")


@pytest.mark.parametrize(("coding", "classes"), [("rate", 0), ("ttfs", 0), ("direct", 3), ("ttfs", 3)])
def test_latents_of_every_coding_and_labels_enter(coding: str, classes: int) -> None:
    network, latents, labels = generator("sgad", coding, "weights", classes)
    given = check_generator(network, latents, labels, "host")
    assert np.isin(given, (0, 1)).all() == (coding == "rate")


@pytest.mark.parametrize("last", ["membrane", "sigma"])
@pytest.mark.parametrize("system", ["swgan", "sgad"])
def test_a_generator_s_last_layer_on_the_chip_is_the_host_s_but_for_8_bit_weights(system: str, last: str) -> None:
    model, latents, labels = generator(system)
    half = latent_half(model, "decoder", "host", last, torch.rand(ITEMS, 0), labels)  # type: ignore[arg-type]
    network, given = read(half, latents)
    chip = export.quantise(network, given, readout=last)  # type: ignore[arg-type]
    *_, spiking, linear = chip.layers
    found = export.simulate(chip, given, [spiking.name])
    with torch.no_grad():
        expected = model.range.outside(model.output(torch.from_numpy(found[spiking.name]).float()))
        values = half.finish(torch.from_numpy(found[linear.name]).float())
    assert expected.std() > 0.01
    assert float((values - expected).square().mean().sqrt()) < 0.03 * float(expected.std())


def test_what_follows_a_generator_s_last_layer_is_told() -> None:
    def told(system: str, scoring: str) -> str:
        return latent_half(generator(system, scoring=scoring)[0], "decoder", "host", "host", torch.rand(1, 0)).host[0]

    assert told("swgan", "grey") == "the sigmoid of the last membrane"
    assert "a product of images at every step, which no chip's layer computes" in told("sgad", "grey")
    assert told("sgad", "weights").endswith("the sum of the steps by learned weights")


@pytest.mark.parametrize(
    ("system", "asked", "sentence"),
    [
        ("sgad", ("encoder", "host", "host"), "expected --part decoder for the generator of a GAN, got encoder"),
        ("sgan", ("whole", "host", "host"), "expected --part decoder for the generator of a GAN, got whole"),
        ("swgan", ("decoder", "chip", "host"), "expected --codes host for latents of real numbers"),
        (
            "sgan",
            ("decoder", "host", "membrane"),
            "expected --readout host for a generator whose last layer is neurons",
        ),
    ],
)
def test_what_a_generator_has_not_is_one_sentence(system: str, asked: tuple[str, str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        latent_half(generator(system)[0], *asked, torch.rand(1, 0))  # type: ignore[arg-type]
    assert len(str(caught.value).splitlines()) == 1
