"""Draws that are the same everywhere, and as normal as they say."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from event_tools.augment.draws import below, derived_seed, generator, inverse_normal, logarithm, normal


def test_the_inverse_normal_is_right_to_six_digits() -> None:
    """Beside Python's own, in the centre, at both limits of the tails, and at the least and largest draw."""
    u = np.array([2.0**-54, 1e-12, 1e-5, 0.0749, 0.075, 0.0751, 0.3, 0.5, 0.7, 0.924, 0.926, 1 - 1e-9, 1 - 2.0**-53])
    expected = [NormalDist().inv_cdf(value) for value in u.tolist()]
    np.testing.assert_allclose(inverse_normal(u), expected, atol=1e-6)


def test_the_logarithm_is_right_to_the_last_digits() -> None:
    x = np.concatenate(
        (np.linspace(2.0**-54, 1.0, 1001), 2.0 ** -np.arange(55.0), [0.5**0.5, np.nextafter(0.5**0.5, 0)])
    )
    np.testing.assert_allclose(logarithm(x), np.log(x), rtol=4e-15, atol=4e-15)


def test_normal_draws_have_the_moments_of_a_normal_distribution() -> None:
    z = normal(generator(0, "test"), 200_000)
    moments = [np.mean(z**k) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.05)  # 2 to 4 standard errors of the fourth


def test_draws_are_of_philox_alone() -> None:
    """Computed from the generator's raw 64-bit words, whose values its authors publish, not by numpy's float draws."""
    key = np.array([5, int.from_bytes(bytes.fromhex("9f86d081884c7d65"), "little")], np.uint64)  # sha256 of "test"
    words = np.random.Philox(key=key).random_raw(4)
    assert generator(5, "test").random(4).tolist() == [(int(word) >> 11) * 2.0**-53 for word in words]


def test_seeds_and_names_give_different_draws() -> None:
    first = {float(generator(seed, name).random()) for seed in (0, 1, (1 << 64) - 1) for name in ("a", "b")}
    assert len(first) == 6


def test_a_derived_seed_depends_on_every_part() -> None:
    seeds = {
        derived_seed(0),
        derived_seed(1),
        derived_seed(0, "a"),
        derived_seed(0, 1),
        derived_seed(0, "1"),
        derived_seed(0, 1, 0),
    }
    assert len(seeds) == 6 and all(0 <= seed < 1 << 64 for seed in seeds)
    assert derived_seed(0, "train/3/00002.bin", 7) == derived_seed(np.int64(0), "train/3/00002.bin", np.int32(7))


@pytest.mark.parametrize("seed", [-1, 1 << 64, 0.5, None], ids=str)
def test_a_seed_is_a_whole_number_of_64_bits(seed: object) -> None:
    with pytest.raises(ValueError, match="expected seed"):
        generator(seed, "a")  # type: ignore[arg-type]


def test_whole_draws_stay_below_their_bound() -> None:
    draws = np.array([0.0, 0.5, 1 - 2.0**-53])
    assert below(draws, 4).tolist() == [0, 2, 3]
    assert below(draws, (1 << 63) - 1)[2] <= (1 << 63) - 2
