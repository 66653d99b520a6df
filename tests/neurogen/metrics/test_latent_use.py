"""How latents of one network are used, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from neurogen.metrics.latent_use import real_figures, spike_figures


def test_spikes_are_counted_by_latent_and_their_entropy_by_step() -> None:
    spikes = np.zeros((4, 2, 3), np.float32)  # four items, two steps; latent 0 never fires, latent 1 always
    spikes[:, :, 1] = 1
    spikes[:2, 0, 2] = 1  # half of the items at the first step: one bit
    spikes[:1, 1, 2] = 1  # a quarter at the second: 0.8113 bits
    quarter = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    found = spike_figures(spikes)
    assert found == {
        "rate": pytest.approx((8 + 2 + 1) / 24),
        "never_fire": pytest.approx(1 / 3),
        "always_fire": pytest.approx(1 / 3),
        "bits_per_latent_and_step": pytest.approx((1 + quarter) / 6),
        "bits_per_item": pytest.approx(1 + quarter),
    }


def test_a_real_latent_is_active_where_its_posterior_moves_with_the_item() -> None:
    means = np.array([[1.0, 0.05], [-1.0, -0.05]])  # variances 1 and 0.0025
    draws = np.array([[1.0, 2.0], [3.0, -2.0]])  # variances 1 and 4, means 2 and 0
    assert real_figures(draws, means) == {
        "latents": 2,
        "active_units": 1,
        "variance": 2.5,
        "variance_of_active": 1.0,
        "variance_of_means": pytest.approx(0.50125),
        "largest_mean": 2.0,
    }
