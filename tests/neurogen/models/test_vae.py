"""The twin without spikes."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from scipy.stats import norm
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from neurogen.config import ConfigError, VAEConfig, parse_config
from neurogen.config_vae import VAEModelConfig
from neurogen.models.vae import VAE


def _config(**sections: object) -> VAEConfig:
    """Two levels over 8x8 grey images, three latents."""
    config = parse_config(
        {
            "system": "vae",
            "data": {"name": "mnist", "resolution": 8, "channels": 1, "fit": "resize"},
            "model": {"widths": [4, 6], "channels": 3},
            **sections,
        }
    )
    assert isinstance(config, VAEConfig)
    return config


def _network() -> VAE:
    torch.manual_seed(0)
    return VAE(_config()).double().eval()


def _items() -> Tensor:
    return torch.rand(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def _uniforms(n: int = 5) -> Tensor:
    return torch.rand(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_the_published_sizes_have_as_many_parameters_as_by_hand() -> None:
    widths, latents = (32, 64, 128, 256), 128
    data = {"name": "mnist", "resolution": 32, "channels": 1, "fit": "resize"}
    with torch.device("meta"):
        network = VAE(_config(data=data, model=VAEModelConfig().model_dump()))
    expected = sum(9 * a * b + 2 * b for a, b in pairwise((1, *widths)))  # convolution, batch norm
    expected += 2 * (256 * 4 * latents + latents) + latents * 1024 + 1024
    expected += sum(9 * a * b + 2 * b for a, b in pairwise((*widths[::-1], 32))) + 9 * 32 + 1
    assert sum(p.numel() for p in network.parameters()) == expected == 1_179_905


def test_draws_are_normal_numbers_of_their_uniforms() -> None:
    uniforms = _uniforms()
    torch.testing.assert_close(_network().draw(uniforms), torch.from_numpy(norm.ppf(uniforms.numpy())))


def test_encoding_is_a_normal_draw_around_the_mean() -> None:
    network, uniforms = _network(), _uniforms()
    mean, log_variance = network.encoder(_items())
    expected = mean + log_variance.exp().sqrt() * torch.from_numpy(norm.ppf(uniforms.numpy()))
    torch.testing.assert_close(network.encode(_items(), uniforms), expected)
    middle = network.encode(_items(), torch.full_like(uniforms, 0.5))
    torch.testing.assert_close(middle, mean, rtol=0, atol=1e-12)


def test_there_and_back_has_the_form_and_range_of_images() -> None:
    network = _network()
    values = network.decode(network.encode(_items(), _uniforms()))
    assert values.shape == (5, 1, 8, 8)
    assert values.abs().max() < 1


def test_the_distance_is_the_weighted_divergence_that_torch_computes() -> None:
    network = _network()
    losses = network.training_losses(_items(), torch.zeros(5), 0.0)
    mean, log_variance = network.encoder(_items())
    divergence = kl_divergence(Normal(mean, log_variance.exp().sqrt()), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(losses["distance"], divergence / 240)
    torch.testing.assert_close(losses["total"], losses["reconstruction"] + losses["distance"])
    assert tuple(losses) == VAE.losses


def test_the_reconstruction_is_the_squared_error_of_a_draw_of_the_posterior() -> None:
    network, x = _network(), _items()
    torch.manual_seed(3)
    losses = network.training_losses(x, torch.zeros(5), 0.0)
    torch.manual_seed(3)
    mean, log_variance = network.encoder(x)
    values = network.decode(mean + log_variance.exp().sqrt() * torch.randn_like(mean))
    torch.testing.assert_close(losses["reconstruction"], nn.functional.mse_loss(values, x))


def test_it_learns_to_reconstruct() -> None:
    torch.manual_seed(0)
    network = VAE(_config(losses={"kl": 0.0}))
    x = _items().float()
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    errors = []
    for _ in range(60):
        optimiser.zero_grad()
        losses = network.training_losses(x, torch.zeros(5), 0.0)
        losses["total"].backward()
        optimiser.step()
        errors.append(float(losses["reconstruction"].detach()))
    assert errors[-1] < 0.5 * errors[0]


def test_items_and_latents_of_another_size_are_refused() -> None:
    network = _network()
    with pytest.raises(ValueError, match=r"expected items \(N, 1, 8, 8\), got \(5, 1, 9, 8\)"):
        network.encode(torch.zeros(5, 1, 9, 8), _uniforms())
    with pytest.raises(ValueError, match=r"expected latents \(N, 3\), got \(5, 4\)"):
        network.decode(torch.zeros(5, 4))


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"model": {"widths": [4, 6, 8, 8]}}, "data.resolution=8 cannot be halved 4 times"),
        ({"model": {"steps": 2}}, "model.steps: expected 1, got 2"),
        ({"losses": {"kl": -1}}, "losses.kl"),
        ({"data": {"name": "nmnist", "channels": 2}}, "model.coding=direct does not go with data.name=nmnist"),
    ],
)
def test_settings_that_do_not_fit_are_one_sentence(sections: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        _config(**sections)
