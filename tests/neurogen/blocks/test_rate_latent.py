"""The latent of rates: from spikes to a rate a channel, and to spikes again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neurogen.blocks.rate_latent import PRIOR_SHARE, WEIGHT, RateLatent
from neurogen.losses.mmd import rbf_mmd

KINDS = [(prior, spikes) for prior in ("network", "mixture") for spikes in ("bernoulli", "stratified")]


def _drive(steps: int = 4, items: int = 50, channels: int = 3) -> Tensor:
    """Spikes (T, N, C): the first half of the items fires seldom, the second often."""
    generator = torch.Generator().manual_seed(0)
    rates = torch.cat((torch.full((items // 2, 1), 0.2), torch.full((items // 2, 1), 0.8)))
    return (torch.rand(steps, items, channels, generator=generator) < rates).float()


def _settled(classes: int = 0, spikes: str = "bernoulli") -> RateLatent:
    latent = RateLatent(3, 4, classes, "mixture", spikes)
    drive = _drive()
    latent.settle([(drive[:, :20], torch.zeros(20).long()), (drive[:, 20:], _labels()[20:])], seed=0)
    return latent


def _labels() -> Tensor:
    return torch.arange(50) // 25


def _uniforms(n: int, draws: int) -> Tensor:
    return torch.rand(n, draws, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_a_spike_is_a_uniform_number_below_the_mean_of_the_encoders_spikes() -> None:
    latent = RateLatent(2, 2, 0, "network", "bernoulli")
    drive = torch.tensor([[[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 0.0]]])  # rates 1/2, but once 1
    uniforms = torch.tensor([[0.4, 0.6, 0.1, 0.7], [0.999, 0.6, 0.0, 0.4]])  # all channels of a step, then the next
    found = latent.encode(drive, uniforms)
    assert found[:, 0].tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert found[:, 1].tolist() == [[1.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize(("prior", "spikes"), KINDS)
def test_training_gives_spikes_and_the_gradient_of_their_rate(prior: str, spikes: str) -> None:
    latent = RateLatent(3, 4, 0, prior, spikes)
    drive = _drive().requires_grad_()
    z, distance = latent(drive, None, 0.0)
    assert set(z.unique().tolist()) == {0.0, 1.0}
    weights = torch.arange(4.0)[:, None, None]
    (z * weights).sum().backward()
    torch.testing.assert_close(drive.grad, torch.full_like(drive, 6 / 4))  # 0 + 1 + 2 + 3, a quarter to each step
    assert (float(distance.detach()) > 0) == (prior == "network")


@pytest.mark.parametrize("spikes", ["bernoulli", "stratified"])
def test_each_step_fires_with_probability_of_the_rate(spikes: str) -> None:
    latent = RateLatent(1, 5, 0, "network", spikes)
    drive = torch.zeros(5, 20000, 1)
    drive[:2] = 1
    found = latent.encode(drive, _uniforms(20000, latent.encoding_draws))
    # standard error: sqrt(0.4 0.6 / 20000) = 0.0035
    torch.testing.assert_close(found.mean((1, 2)), torch.full((5,), 0.4), rtol=0, atol=0.014)


@pytest.mark.parametrize("steps", [2, 5, 8])
def test_stratified_trains_have_as_many_spikes_as_the_rate_says(steps: int) -> None:
    latent = RateLatent(1, steps, 0, "mixture", "stratified")
    rates = torch.linspace(0, 1, 100)[:, None]
    counts = latent._spikes(rates, _uniforms(100, 1)).sum(0)
    assert ((counts - rates * steps).abs() < 1 + 1e-5).all()
    assert float((counts - rates * steps).mean()) == pytest.approx(0, abs=0.1)


def test_stratified_spikes_are_spread_over_the_steps() -> None:
    latent = RateLatent(1, 8, 0, "mixture", "stratified")
    trains = latent._spikes(torch.full((200, 1), 0.5), _uniforms(200, 1))[..., 0]
    halves = trains[:4].sum(0)
    assert set(halves.tolist()) <= {1.0, 2.0, 3.0}  # of 4 spikes; independent ones would be 0 or 4 every eighth time
    assert trains.unique(dim=1).shape[1] == 8  # and trains differ


def test_the_distance_is_that_of_rates_from_the_prior_network() -> None:
    latent, drive = RateLatent(3, 4, 0, "network", "bernoulli"), _drive()
    torch.manual_seed(0)
    _, distance = latent(drive, None, 0.0)
    torch.manual_seed(0)
    torch.rand(50, latent.encoding_draws)
    expected = torch.sigmoid(torch.randn(50, 3) @ latent.prior.weight.T + latent.prior.bias)
    torch.testing.assert_close(distance, WEIGHT * rbf_mmd(drive.mean(0), expected))


def test_the_prior_network_learns_rates_of_each_class() -> None:
    torch.manual_seed(0)
    latent, drive = RateLatent(3, 4, 2, "network", "bernoulli"), _drive()
    optimiser = torch.optim.Adam(latent.parameters(), 0.05)
    for _ in range(150):
        optimiser.zero_grad()
        latent(drive, _labels(), 0.0)[1].backward()
        optimiser.step()
    rates = latent.rates(_uniforms(200, 3), torch.arange(200) % 2)
    means = torch.stack([rates[::2].mean(), rates[1::2].mean()])
    torch.testing.assert_close(means, torch.tensor([0.2, 0.8]), rtol=0, atol=0.08)


def test_the_priors_parameters_learn_ten_times_as_fast() -> None:
    latent = RateLatent(3, 4, 2, "network", "bernoulli")
    assert [parameter.rate_share for parameter in latent.parameters()] == [PRIOR_SHARE] * 3


@pytest.mark.parametrize("spikes", ["bernoulli", "stratified"])
def test_a_mixture_draws_the_rates_it_has_seen(spikes: str) -> None:
    latent = _settled(spikes=spikes)
    found = latent.draw(_uniforms(4000, latent.draws))
    assert found.shape == (4, 4000, 3)
    torch.testing.assert_close(found.mean(), _drive().mean(), rtol=0, atol=0.03)
    together = found.mean((0, 2))
    assert float(together.var()) > 0.05  # the channels of an item go together: both groups are there


def test_a_mixture_with_classes_draws_those_of_the_label() -> None:
    latent = _settled(classes=2)
    found = latent.draw(_uniforms(400, latent.draws), torch.arange(400) % 2).mean((0, 2))
    assert float(found[::2].mean()) == pytest.approx(0.2, abs=0.08)
    assert float(found[1::2].mean()) == pytest.approx(0.8, abs=0.08)


def test_a_mixture_generates_once_it_is_settled_and_a_network_at_once() -> None:
    assert RateLatent(3, 4, 0, "network", "bernoulli").generates
    assert not RateLatent(3, 4, 0, "mixture", "bernoulli").generates
    settled, other = _settled(), RateLatent(3, 4, 0, "mixture", "bernoulli")
    other.load_state_dict(settled.state_dict())
    assert other.generates
    uniforms = _uniforms(5, settled.draws)
    assert torch.equal(settled.draw(uniforms), other.draw(uniforms))


@pytest.mark.parametrize(("prior", "spikes"), KINDS)
def test_steps_of_a_draw_are_the_draw(prior: str, spikes: str) -> None:
    latent = _settled(spikes=spikes) if prior == "mixture" else RateLatent(3, 4, 0, prior, spikes)
    uniforms = _uniforms(6, latent.draws)
    with torch.no_grad():
        assert torch.equal(torch.stack([*latent.steps_of_draw(uniforms)]), latent.draw(uniforms))


def test_a_draw_is_a_function_of_its_own_uniforms() -> None:
    latent = _settled(classes=2)
    uniforms, labels = _uniforms(6, latent.draws), torch.arange(6) % 2
    assert torch.equal(latent.draw(uniforms, labels)[:, 2:4], latent.draw(uniforms[2:4], labels[2:4]))


def test_a_prior_with_classes_refuses_to_draw_without_labels() -> None:
    latent = RateLatent(3, 4, 2, "network", "bernoulli")
    with pytest.raises(ValueError, match="expected labels for a prior with classes"):
        latent.draw(_uniforms(1, latent.draws))
