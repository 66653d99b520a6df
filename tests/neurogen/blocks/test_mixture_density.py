"""The density that is fitted to latents after training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from neurogen.blocks.mixture_density import MixtureDensity, normal


def _two_clouds() -> tuple[torch.Tensor, torch.Tensor]:
    """300 and 100 points around (-5, 0) and (5, 0), the second correlated; labels 0 and 1."""
    rng = np.random.default_rng(0)
    first = rng.normal((-5, 0), size=(300, 2))
    second = rng.normal(size=(100, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]]) + [5, 0]
    return torch.from_numpy(np.concatenate([first, second])), torch.tensor([0] * 300 + [1] * 100)


def test_normal_numbers_are_those_of_scipy() -> None:
    u = torch.linspace(0.001, 0.999, 50, dtype=torch.float64)
    torch.testing.assert_close(normal(u), torch.from_numpy(norm.ppf(u.numpy())), rtol=1e-9, atol=1e-12)


def test_normal_numbers_of_the_edges_are_finite() -> None:
    assert normal(torch.tensor([0.0, 1.0 - 2**-53], dtype=torch.float64)).isfinite().all()


def test_one_gaussian_has_mean_and_covariance_of_its_items() -> None:
    values, labels = _two_clouds()
    density = MixtureDensity(2, 1)
    density.fit(values, labels, seed=0)
    torch.testing.assert_close(density.means[0, 0].double(), values.mean(0), rtol=1e-5, atol=1e-5)
    covariance = density.factors[0, 0].double() @ density.factors[0, 0].double().T
    ridge = 1e-4 * values.var(0, unbiased=False).mean() * torch.eye(2)
    torch.testing.assert_close(covariance - ridge, torch.cov(values.T, correction=0), rtol=1e-4, atol=1e-4)


def test_a_mixture_explains_items_as_well_as_one_of_scikit_learn() -> None:
    values, labels = _two_clouds()
    density = MixtureDensity(2, 2)
    density.fit(values, labels, seed=3)
    weights, means, factors = (b[0].double() for b in (density.weights, density.means, density.factors))
    parts = torch.distributions.MultivariateNormal(means, scale_tril=factors)
    ours = (parts.log_prob(values[:, None]) + weights.log()).logsumexp(-1).mean()
    theirs = GaussianMixture(2, random_state=0).fit(values.numpy()).score(values.numpy())
    assert float(ours) == pytest.approx(theirs, abs=1e-3)


def test_a_draw_is_the_mean_and_the_factor_times_normals() -> None:
    density = MixtureDensity(2, 1)
    density.weights.fill_(1.0)
    density.shares.fill_(1.0)
    density.means[0, 0] = torch.tensor([10.0, 20.0])
    density.factors[0, 0] = torch.tensor([[2.0, 0.0], [3.0, 4.0]])
    u = torch.tensor([[norm.cdf(1.0), norm.cdf(-0.5), 0.3]], dtype=torch.float64)
    torch.testing.assert_close(density.draw(u), torch.tensor([[12.0, 21.0]]))  # 10 + 2, 20 + 3 - 2


def test_the_last_uniform_takes_the_component() -> None:
    density = MixtureDensity(1, 3)
    density.weights[0] = torch.tensor([0.25, 0.0, 0.75])
    density.shares.fill_(1.0)
    density.means[0, :, 0] = torch.tensor([1.0, 2.0, 3.0])
    u = torch.tensor([[0.5, 0.0], [0.5, 0.2499], [0.5, 0.25], [0.5, 1 - 2**-53]], dtype=torch.float64)
    assert density.draw(u)[:, 0].tolist() == [1.0, 1.0, 3.0, 3.0]


def test_labels_choose_among_the_components_of_their_class() -> None:
    values, labels = _two_clouds()
    density = MixtureDensity(2, 2, classes=2)
    density.fit(values, labels, seed=0)
    uniforms = torch.rand(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = torch.arange(200) % 2
    assert ((density.draw(uniforms, wanted)[:, 0] > 0) == (wanted == 1)).all()


def test_classes_without_labels_are_as_frequent_as_among_the_items() -> None:
    values, labels = _two_clouds()
    density = MixtureDensity(2, 1, classes=2)
    density.fit(values, labels, seed=0)
    u = torch.full((8, 3), 0.5, dtype=torch.float64)
    u[:, 2] = (torch.arange(8) + 0.5) / 8
    assert int((density.draw(u)[:, 0] < 0).sum()) == 6  # 3 of 4 items are of the first class


def test_moments_of_many_draws_are_those_of_the_items() -> None:
    values, labels = _two_clouds()
    density = MixtureDensity(2, 2, classes=2)
    density.fit(values, labels, seed=0)
    drawn = density.draw(torch.rand(20000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))).double()
    # standard errors: 4.4 / sqrt(20000) = 0.03 of the mean, of variances about 0.2
    torch.testing.assert_close(drawn.mean(0), values.mean(0), rtol=0, atol=0.15)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(values.T), rtol=0.05, atol=0.1)


def test_a_class_without_items_takes_the_density_of_all() -> None:
    values, labels = _two_clouds()
    density = MixtureDensity(2, 1, classes=3)
    density.fit(values, labels, seed=0)
    centre = density.draw(torch.full((1, 3), 0.5, dtype=torch.float64), torch.tensor([2]))
    torch.testing.assert_close(centre[0].double(), values.mean(0), rtol=0, atol=1e-4)
    assert float(density.shares[2]) == 0


def test_fewer_items_than_components_are_fitted_by_as_many() -> None:
    density = MixtureDensity(1, 8)
    density.fit(torch.tensor([[0.0], [1.0], [1.0]]), None, seed=0)
    assert density.weights[0, 3:].tolist() == [0.0] * 5
    assert float(density.weights.sum()) == pytest.approx(1.0)


def test_channels_that_never_change_are_fitted() -> None:
    values = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    values[:, 1] = 0.25
    density = MixtureDensity(3, 2)
    density.fit(values, None, seed=0)
    drawn = density.draw(torch.rand(100, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    assert (drawn[:, 1] - 0.25).abs().max() < 0.05


def test_a_fit_is_a_function_of_its_seed_and_travels_by_state() -> None:
    values, labels = _two_clouds()
    first, second, third = (MixtureDensity(2, 3) for _ in range(3))
    first.fit(values, labels, seed=2**40)
    second.fit(values, labels, seed=2**40)
    assert not third.fitted
    third.load_state_dict(first.state_dict())
    uniforms = torch.rand(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(first.draw(uniforms), second.draw(uniforms))
    assert torch.equal(first.draw(uniforms), third.draw(uniforms))
    assert third.fitted


def test_drawing_before_fitting_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a fitted density"):
        MixtureDensity(2, 1).draw(torch.rand(1, 3))


@pytest.mark.parametrize(
    "values", [torch.rand(4, 3), torch.rand(1, 2), torch.tensor([[0.0, 1.0], [0.0, float("nan")]])]
)
def test_what_has_no_density_is_refused(values: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected two or more finite vectors"):
        MixtureDensity(2, 1).fit(values, None, seed=0)
