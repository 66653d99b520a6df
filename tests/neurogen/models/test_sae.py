"""The spiking autoencoder: its size, what passes its bottleneck, its units, and how it comes to sample."""

from __future__ import annotations

import pytest
import torch
from spikingjelly.activation_based import functional
from torch import Tensor

from neurogen.config import ConfigError, SAEConfig, load_config, parse_config
from neurogen.description import build_on_meta
from neurogen.models.making import make_network
from neurogen.models.sae import SAE, inside
from neurogen.models.size import parameter_counts
from neurogen.neurons import LIF
from neurogen.rates import neuron_names, watched_rates
from train import find_config

STEPS, LATENT, SIDE = 4, 5, 8
REPAIRED = {"bottleneck_norm": True, "second_neuron": False}


def config(**sections: dict[str, object]) -> SAEConfig:
    model = {"steps": STEPS, "widths": [4, 6], "channels": LATENT, "components": 2, **sections.pop("model", {})}
    data = {"name": "mnist", "resolution": SIDE, "channels": 1, **sections.pop("data", {})}
    made = parse_config({"system": "sae", "data": data, "model": model, **sections})
    assert isinstance(made, SAEConfig)
    return made


def awake(**sections: dict[str, object]) -> SAE:
    """A repaired network in eval mode, float64, whose decoder is driven hard enough to fire."""
    torch.manual_seed(0)
    network = SAE(config(model={**REPAIRED, **sections.pop("model", {})}, **sections)).double()
    network.decoder.first.layer.weight.data *= 5
    for _ in range(30):
        network.training_losses(images(16), torch.zeros(16, dtype=torch.int64), 0.0)
    return network.eval()


def images(count: int, seed: int = 1) -> Tensor:
    return torch.rand(count, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def none(count: int) -> Tensor:
    return torch.zeros(count, 0, dtype=torch.float64)


def uniforms(network: SAE, count: int) -> Tensor:
    return torch.rand(count, network.draws, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@pytest.mark.parametrize(("name", "count"), [("mnist", 319_009), ("mnist-repaired", 319_009 + 2 * 32)])
def test_it_has_the_size_of_the_tutorial_s_and_the_repair_costs_a_batch_norm(name: str, count: int) -> None:
    assert parameter_counts(build_on_meta(load_config(find_config(f"sae/{name}"))))["total"] == count


def test_at_first_nothing_passes_the_published_bottleneck_and_the_repaired_one_fires() -> None:
    rates = {}
    for name in ("mnist", "mnist-repaired"):
        torch.manual_seed(0)
        network = make_network(load_config(find_config(f"sae/{name}")))
        rates[name] = network.encode(torch.rand(8, 1, 32, 32) * 2 - 1, none(8)).mean((1, 2))
    assert not rates["mnist"].any()
    assert (rates["mnist-repaired"][1:] > 0.05).all()  # a membrane below threshold at first takes a step or two


def test_a_second_neuron_fires_once_for_two_spikes_in_a_row() -> None:
    network = SAE(config())
    spikes = torch.tensor([1.0, 0.0, 1.0, 1.0]).view(STEPS, 1, 1)  # membranes 1, 0.5, 1.25, 0.625
    assert network.decoder.second(spikes).flatten().tolist() == [0, 0, 1, 0]


def test_the_image_is_the_last_membrane_of_neurons_that_never_fire() -> None:
    network = awake()
    functional.reset_net(network)
    spikes = network.decoder(network.encode(images(6), none(6)))
    assert 0.02 < spikes.mean() < 0.98
    u = torch.zeros(6, 1, SIDE, SIDE, dtype=torch.float64)
    for t, step in enumerate(spikes):  # the slow form, one convolution a step
        u = 0.5 * u + network.readout.conv(step)
        assert torch.allclose(network.readout.every(spikes)[t], u, atol=1e-12)
    assert torch.allclose(network.readout(spikes), u, atol=1e-12)


@pytest.mark.parametrize("over", ["last", "mean"])
def test_the_loss_is_a_quarter_of_the_error_in_model_units(over: str) -> None:
    network, x = awake(losses={"over": over}), images(6)
    made = network.decode(network.encode(x, none(6)))
    losses = network.training_losses(x, torch.zeros(6, dtype=torch.int64), 0.0)
    assert torch.allclose(losses["reconstruction"], (made - x).square().mean() / 4)
    functional.reset_net(network)
    membranes = network.readout.every(network.decoder(network.encode(x, none(6))))
    errors = torch.stack([(u - inside(x)).square().mean() for u in membranes])
    assert torch.allclose(losses["total"], errors.mean() if over == "mean" else errors[-1])
    assert set(losses) == set(network.losses)


def test_calls_do_not_depend_on_the_one_before() -> None:
    network = awake()
    first = network.encode(images(6), none(6))
    picture = network.decode(first)
    network.encode(images(6, seed=5), none(6))
    network.decode(1 - first)
    assert torch.equal(network.encode(images(6), none(6)), first)
    assert torch.equal(network.decode(first), picture)


def test_it_samples_once_it_is_settled_and_a_copy_of_its_state_does_too() -> None:
    network, x = awake(model={"classes": 2}), images(12)
    assert not network.generates
    with pytest.raises(ValueError, match="expected a fitted density"):
        network.draw(uniforms(network, 3), torch.zeros(3, dtype=torch.int64))
    labels = torch.tensor([0, 1] * 6)
    x[labels == 1] = x[1].clone()  # all of class 1 are one image
    network.settle([(x[:5], labels[:5]), (x[5:], labels[5:])], seed=0)
    assert network.generates
    code = network.encode(x[1:2], none(1))
    made = network.draw(uniforms(network, 7), torch.ones(7, dtype=torch.int64))
    assert code.any() and torch.equal(made, code.expand(-1, 7, -1))
    twin = awake(model={"classes": 2})
    twin.load_state_dict(network.state_dict())
    drawn = uniforms(network, 9), torch.arange(9) % 2
    assert twin.generates and torch.equal(twin.draw(*drawn), network.draw(*drawn))


def test_a_stream_ends_in_the_sample() -> None:
    network = awake()
    network.settle([(images(12), torch.zeros(12, dtype=torch.int64))], seed=0)
    drawn = uniforms(network, 3)
    latents, pictures = zip(*network.stream(drawn), strict=True)
    assert torch.equal(torch.stack(latents), network.draw(drawn))
    assert torch.allclose(pictures[-1], network.decode(network.draw(drawn)), atol=1e-12)
    assert len(pictures) == STEPS


def test_neurons_that_chips_have_can_take_their_place() -> None:
    network = SAE(config(neurons={"kind": "lif", "reset": 0.0}))
    assert all(isinstance(network.get_submodule(name), LIF) for name in neuron_names(network))
    with watched_rates(network) as rates:
        network.training_losses(images(4).float(), torch.zeros(4, dtype=torch.int64), 0.0)
    assert len(rates) == len(neuron_names(network))


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"data": {"resolution": 10}}, "data.resolution=10 cannot be halved 2 times; take a multiple of 4"),
        ({"neurons": {"reset": 0.0}}, "kind=delayed takes its input whole and subtracts the threshold"),
        ({"neurons": {"threshold": 0.0}}, "neurons.threshold"),
        ({"model": {"coding": "event"}}, "model.coding"),
        ({"neurons": {"surrogate": "triangle"}}, "neurons.surrogate"),
        ({"model": {"steps": 0}}, "model.steps"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_sentence(sections: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**sections)  # type: ignore[arg-type]


def test_values_of_another_shape_are_refused() -> None:
    network = SAE(config())
    with pytest.raises(ValueError, match=r"expected items \(N, 1, 8, 8\), got \(2, 1, 16, 16\)"):
        network.encode(torch.zeros(2, 1, 16, 16), none(2))
    with pytest.raises(ValueError, match=r"expected latents \(4, N, 5\), got \(2, 4, 5\)"):
        network.decode(torch.zeros(2, 4, 5))
