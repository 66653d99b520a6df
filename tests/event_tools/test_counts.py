"""Whole counts of real-valued frames, and a resize that can be undone."""

from __future__ import annotations

import numpy as np
import pytest

from event_tools.counts import resize, spread, spread_counts, sum_blocks, to_budget, to_counts, undo_resize


def test_round_takes_the_nearest_count_and_none_below_zero() -> None:
    assert to_counts(np.array([-0.7, 0.4, 0.6, 2.2])).tolist() == [0, 0, 1, 2]


def test_largest_remainder_keeps_the_total() -> None:
    # floors 0, 1, 2; the sum 4.0 lacks one, which goes to the remainder 0.5
    assert to_counts(np.array([0.5, 1.2, 2.3]), rounding="largest_remainder").tolist() == [1, 1, 2]


def test_a_dead_zone_silences_small_values_first() -> None:
    values = np.array([0.3, 0.3, 0.3, 1.4, 1.6])
    assert to_counts(values, rounding="dead_zone", dead_zone=0.35).tolist() == [0, 0, 0, 1, 2]


def test_a_budget_is_met_exactly() -> None:
    values = np.random.default_rng(0).gamma(0.3, 2.0, (4, 2, 8, 8))
    for rounding in ("largest_remainder", "dead_zone"):
        assert to_counts(values, rounding=rounding, dead_zone=0.2, budget=777).sum() == 777


def test_ties_do_not_favour_the_top_left() -> None:
    values = np.full((100, 100), 0.5)
    counts = to_counts(values, rounding="largest_remainder", seed=1)
    assert counts.sum() == 5000
    assert abs(int(counts[:50].sum()) - 2500) < 110  # three standard deviations of a fair draw, 35


def test_ties_depend_on_the_seed_alone() -> None:
    values = np.full((10, 10), 0.5)
    one, again, other = (to_counts(values, rounding="largest_remainder", seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


@pytest.mark.parametrize("values", [[np.nan], [np.inf]])
def test_a_diverged_model_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        to_counts(np.array(values))


def test_an_unknown_rounding_is_refused() -> None:
    with pytest.raises(ValueError, match="rounding"):
        to_counts(np.zeros(3), rounding="floor")


def test_nothing_stays_nothing_whatever_the_budget() -> None:
    assert not to_counts(np.zeros((2, 2)), rounding="largest_remainder", budget=50).any()


def test_resize_is_torchs_bilinear_with_aligned_corners() -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).random((2, 2, 34, 34))
    theirs = torch.nn.functional.interpolate(torch.from_numpy(values), (64, 48), mode="bilinear", align_corners=True)
    assert np.allclose(resize(values, (64, 48)), theirs.numpy(), atol=1e-12)


def test_undoing_a_resize_gives_the_counts_back() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (4, 2, 34, 34))
    back = undo_resize(resize(counts, (64, 64)), (34, 34))
    assert np.allclose(back, counts, atol=1e-10)


def test_undoing_a_resize_does_not_enlarge_noise() -> None:
    noise = np.random.default_rng(0).normal(size=(50, 64, 64))
    assert undo_resize(noise, (34, 34)).std() < 1.0


def test_one_pixel_resizes_to_a_constant() -> None:
    assert (resize(np.array([[3.0]]), (2, 5)) == 3.0).all()


def test_a_budget_is_n_over_t_a_frame_and_the_rest_in_the_last() -> None:
    values = np.array([[3.0, 1.0], [0.0, 2.0], [-5.0, 4.0]])
    assert to_budget(values).tolist() == [[2, 1], [0, 3], [0, 4]]  # 10 // 3 = 3: 2.25 + 0.75, 3, and 4
    assert to_budget(values, total=11).tolist() == [[2, 1], [0, 3], [0, 5]]


def test_counts_within_their_budget_stay_as_they_are() -> None:
    counts = np.random.default_rng(0).multinomial(50, np.full(24, 1 / 24), 4).reshape(4, 2, 3, 4)
    assert np.array_equal(to_budget(counts), counts)


def test_an_empty_frame_cannot_hold_its_budget() -> None:
    with pytest.raises(ValueError, match="frame 1, which is to hold 2 events"):
        to_budget(np.array([[4], [0]]))
    assert to_budget(np.array([[0], [0], [2]])).tolist() == [[0], [0], [2]]  # 2 // 3 = 0 events a frame


def test_sums_over_squares_of_pixels_by_hand() -> None:
    counts = np.arange(16).reshape(4, 4).astype(np.uint8)
    assert sum_blocks(counts, 2).tolist() == [[0 + 1 + 4 + 5, 2 + 3 + 6 + 7], [8 + 9 + 12 + 13, 10 + 11 + 14 + 15]]
    assert sum_blocks(np.full((4, 4), 255, np.uint8), 4).tolist() == [[4080]]  # beyond 8 bits


def test_sharing_out_keeps_the_sum_of_each_square_and_its_slope() -> None:
    values = np.array([[[4.0, 8.0, 0.0], [2.5, -1.0, 16.0]]])
    shared = spread(values, 4)
    assert shared.shape == (1, 8, 12) and shared.min() >= 0
    np.testing.assert_allclose(sum_blocks(shared, 4), np.maximum(values, 0), atol=1e-12)
    np.testing.assert_allclose(shared.reshape(1, 2, 4, 3, 4).sum((2, 4)), np.maximum(values, 0), atol=1e-12)
    assert shared[0, 1, 3] > shared[0, 1, 0]  # towards the larger neighbour on the right
    np.testing.assert_allclose(spread(np.full((2, 2), 16.0), 4), 1.0)


def test_whole_events_shared_out_sum_up_to_the_same_counts() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.choice([0.0, 0.5, 30.0], (4, 2, 8, 8)))
    counts[0, 0, 0, 0] = 100_003
    shared = spread_counts(counts, 4, seed=3)
    assert shared.dtype == np.int32 and shared.min() >= 0
    np.testing.assert_array_equal(sum_blocks(shared, 4), counts)
    assert np.abs(shared - spread(counts, 4)).max() < 1 + 1e-6  # the floor or the ceiling of each share
    np.testing.assert_array_equal(shared, spread_counts(counts, 4, seed=3))
    assert not np.array_equal(shared, spread_counts(counts, 4, seed=4))


def test_whole_events_have_their_shares_in_the_mean() -> None:
    counts = np.array([[3, 1], [0, 7]])
    mean = np.mean([spread_counts(counts, 3, seed) for seed in range(3000)], 0)
    np.testing.assert_allclose(mean, spread(counts, 3), atol=0.04)  # four standard deviations of a share of 0.5


def test_negative_counts_are_not_shared_out() -> None:
    with pytest.raises(ValueError, match="expected counts from 0 up, got -1"):
        spread_counts(np.array([[-1]]), 2)
