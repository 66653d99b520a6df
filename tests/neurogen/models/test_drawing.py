"""Inversion of a distribution, and what top-k, top-p and temperature keep of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neurogen.models.drawing import check_drawing, draw, invert, probabilities

LOGITS = torch.tensor([[0.5, 0.125, 0.25, 0.125]], dtype=torch.float64).log()


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def kept(**settings: float) -> list[float]:
    return [round(value, 12) for value in probabilities(LOGITS, **settings)[0].tolist()]


def test_each_code_owns_the_part_of_the_unit_interval_that_its_probability_gives() -> None:
    u = torch.tensor([0.0, 0.4999, 0.5, 0.6249, 0.625, 0.8749, 0.875, 0.9999], dtype=torch.float64)
    assert draw(LOGITS.expand(8, -1), u).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_code_of_probability_zero_is_never_drawn() -> None:
    p = row(0.0, 0.5, 0.0, 0.5, 0.0).expand(4, -1)
    largest = torch.nextafter(torch.tensor(1.0, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64))
    u = torch.stack((torch.tensor(0.0).double(), torch.tensor(0.49).double(), torch.tensor(0.5).double(), largest))
    assert invert(p, u).tolist() == [1, 1, 3, 3]


def test_temperature_divides_the_logits() -> None:
    expected = torch.tensor([0.25, 1 / 64, 1 / 16, 1 / 64]).double()
    assert kept(temperature=0.5) == [round(value, 12) for value in (expected / expected.sum()).tolist()]


def test_a_tiny_temperature_takes_the_likeliest_code_without_overflow() -> None:
    assert kept(temperature=1e-300) == [1.0, 0.0, 0.0, 0.0]


def test_top_k_keeps_exactly_k_codes_and_among_equals_the_first() -> None:
    assert kept(top_k=1) == [1.0, 0.0, 0.0, 0.0]
    assert kept(top_k=3) == [round(4 / 7, 12), round(1 / 7, 12), round(2 / 7, 12), 0.0]
    assert probabilities(torch.zeros(1, 5), top_k=2)[0].tolist() == [0.5, 0.5, 0.0, 0.0, 0.0]


def test_top_k_beyond_the_codes_keeps_all() -> None:
    assert kept(top_k=9) == [0.5, 0.125, 0.25, 0.125]


def test_top_p_keeps_the_fewest_codes_that_reach_p() -> None:
    two, three = (
        [round(2 / 3, 12), 0.0, round(1 / 3, 12), 0.0],
        [round(4 / 7, 12), round(1 / 7, 12), round(2 / 7, 12), 0.0],
    )
    assert kept(top_p=0.5) == [1.0, 0.0, 0.0, 0.0]
    assert kept(top_p=0.51) == two
    assert kept(top_p=0.75) == two
    assert kept(top_p=0.76) == three
    assert kept(top_p=1.0) == [0.5, 0.125, 0.25, 0.125]


def test_top_p_always_keeps_the_likeliest_code() -> None:
    assert kept(top_p=1e-15) == [1.0, 0.0, 0.0, 0.0]


def test_top_p_counts_equal_probabilities_right_in_spite_of_rounding() -> None:
    for n in range(1, 11):
        assert int((probabilities(torch.zeros(1, 10), top_p=n / 10) > 0).sum()) == n


def test_top_p_is_of_what_top_k_left() -> None:
    # top 3 of 1/2, 1/4, 1/8, 1/8 are 4/7, 2/7, 1/7: two of them reach 0.8
    assert kept(top_k=3, top_p=0.8) == [round(2 / 3, 12), 0.0, round(1 / 3, 12), 0.0]


def test_logits_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="expected finite logits"):
        probabilities(torch.tensor([[0.0, float("nan")]]))


@pytest.mark.parametrize("bad", [(0.0, None, None), (-1.0, None, None), (float("inf"), None, None)])
def test_a_temperature_that_is_not_above_0_is_refused(bad: tuple[float, None, None]) -> None:
    with pytest.raises(ValueError, match="expected a temperature above 0"):
        check_drawing(*bad)


@pytest.mark.parametrize(("k", "p"), [(0, None), (-3, None), (None, 0.0), (None, 1.1), (None, float("nan"))])
def test_top_k_below_1_and_top_p_outside_0_to_1_are_refused(k: int | None, p: float | None) -> None:
    with pytest.raises(ValueError, match="expected top_"):
        check_drawing(1.0, k, p)
