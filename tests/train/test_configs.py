"""Every configuration that ships loads, builds, and (where it is small) learns."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from neurogen.blocks.tokens import TokenOrder
from neurogen.config import GANConfig, PriorConfig, StageOneConfig, dump_config, load_config, parse_config
from neurogen.description import build_on_meta
from neurogen.losses import StageOneObjective
from neurogen.losses.gan import fake_loss, generator_loss, real_loss
from neurogen.models.discriminators import make_discriminator
from neurogen.models.making import make_network
from neurogen.models.prior import SpikingPrior
from neurogen.models.size import parameter_counts
from neurogen.models.tts_vqvae import TTSVQVAE
from train import CONFIGS, config_names, find_config

NAMES = config_names()
SMALL = [name for name in NAMES if any(word in name for word in ("-small", "-tiny", "/digits"))]
PUBLISHED = [name for name in NAMES if name not in SMALL]


def test_every_first_stage_has_a_prior() -> None:
    assert {name.split("/")[1] for name in NAMES if name.startswith("tts_vqvae")} == {
        name.split("/")[1] for name in NAMES if name.startswith("prior")
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_survives_being_written(name: str) -> None:
    config = load_config(find_config(name))
    import yaml

    assert parse_config(yaml.safe_load(dump_config(config))) == config


@pytest.mark.parametrize("name", NAMES)
def test_a_configuration_says_what_it_is_and_how_to_run_it(name: str) -> None:
    head = (CONFIGS / f"{name}.yaml").read_text().split("\nsystem:")[0]
    assert head.startswith("# ")
    assert f"neurogen train {name}" in head


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("tts_vqvae")])
def test_the_prior_fits_its_first_stage(name: str) -> None:
    first, prior = load_config(find_config(name)), load_config(find_config(name.replace("tts_vqvae", "prior")))
    assert isinstance(first, StageOneConfig)
    assert isinstance(prior, PriorConfig)
    network = build_on_meta(first)
    assert TokenOrder.of(prior.model).form == network.code_form


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.startswith("tts_vqvae")])
def test_published_first_stages_have_the_published_size(name: str) -> None:
    counts = parameter_counts(build_on_meta(load_config(find_config(name))))
    assert (round(counts["encoder"] / 1e6, 1), round(counts["decoder"] / 1e6, 2)) in {(29.3, 42.45)}


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.startswith("prior")])
def test_published_priors_have_the_published_size(name: str) -> None:
    assert round(parameter_counts(build_on_meta(load_config(find_config(name))))["prior"] / 1e6, 1) == 304.9


@pytest.mark.parametrize("name", [name for name in PUBLISHED if not name.startswith(("tts_vqvae", "prior"))])
def test_a_published_network_is_built_without_memory(name: str) -> None:
    network = build_on_meta(load_config(find_config(name)))
    assert parameter_counts(network)["total"] > 100_000
    assert all(parameter.is_meta for parameter in network.parameters())


@pytest.mark.parametrize("name", [name for name in SMALL if name.startswith(("fsvae", "vae", "sae"))])
def test_a_small_autoencoder_learns_for_two_steps(name: str) -> None:
    torch.manual_seed(0)
    config = load_config(find_config(name))
    network = make_network(config)
    side, channels = config.data.resolution, config.data.channels
    time = (config.model.steps,) if config.makes_recordings else ()
    x, labels = torch.rand(8, *time, channels, side, side), torch.arange(8)
    learns_in_two_steps(network, lambda: network.training_losses(x, labels, 0.5)["total"])


@pytest.mark.parametrize("name", [name for name in SMALL if name.startswith(("sgan", "swgan", "sgad"))])
def test_both_halves_of_a_small_gan_learn_for_two_steps(name: str) -> None:
    torch.manual_seed(0)
    config = load_config(find_config(name))
    assert isinstance(config, GANConfig)
    generator, judge, kind = make_network(config), make_discriminator(config), config.losses.kind
    side, channels = config.data.resolution, config.data.channels
    time = (config.model.steps,) if config.makes_recordings else ()
    brightest = config.model.peak if config.makes_recordings else 1.0
    real = judge.present(brightest * torch.rand(8, *time, channels, side, side))
    labels = torch.arange(8) if config.model.classes else None

    def made() -> torch.Tensor:
        return generator.judged(generator.draw(torch.rand(8, generator.draws, dtype=torch.float64), labels), labels)

    def judged() -> torch.Tensor:
        return real_loss(kind, judge(real, labels)) + fake_loss(kind, judge(made().detach(), labels))

    learns_in_two_steps(generator, lambda: generator_loss(kind, judge(made(), labels)))
    learns_in_two_steps(judge, judged, 0.85)  # hinge on both halves cancels at the last bias


@pytest.mark.parametrize("name", [name for name in SMALL if name.startswith(("tts_vqvae", "prior"))])
def test_a_small_configuration_learns_for_two_steps(name: str) -> None:
    torch.manual_seed(0)
    config = load_config(find_config(name), ["codebook.start=0"] if name.startswith("tts") else [])
    if isinstance(config, PriorConfig):
        shape = (8, *TokenOrder.of(config.model).form.item_shape)
        network: torch.nn.Module = SpikingPrior(config.model, config.neurons)
        codes, classes = torch.randint(config.model.codes, shape), config.model.classes
        labels = torch.randint(classes, (8,)) if classes else None

        def loss() -> torch.Tensor:
            return network.loss(codes, labels)

    else:
        network = TTSVQVAE(config)
        objective = StageOneObjective(config.losses, config.data.channels)
        side = config.data.resolution
        time = (config.model.steps,) if config.model.coding == "event" else ()
        shape = (8, *time, config.data.channels, side, side)
        x = torch.rand(shape)

        def loss() -> torch.Tensor:
            out = network(x)
            return objective.autoencoder_loss(x, out.values, out.quantiser_loss, network.last_layer, 0)[0]

    learns_in_two_steps(network, loss)


def learns_in_two_steps(network: torch.nn.Module, loss: Callable[[], torch.Tensor], share: float = 0.9) -> None:
    learnt = [p for p in network.parameters() if p.requires_grad]  # a bias before batch norm has no gradient
    optimiser = torch.optim.Adam(learnt, 1e-3)
    before = [p.detach().clone() for p in learnt]
    for _ in range(2):
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
    assert torch.isfinite(value)
    moved = [not torch.equal(a, b) for a, b in zip(before, learnt, strict=True)]
    assert sum(moved) > share * len(moved)
