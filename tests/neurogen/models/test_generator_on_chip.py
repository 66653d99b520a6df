"""The generators of GANs on a chip: with the host's output stage they make what the network makes."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor

import export
from neurogen.models.gan import Generator
from neurogen.models.latent_on_chip import latent_half
from tests.neurogen.models.awake import ITEMS, generator, made, read


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
