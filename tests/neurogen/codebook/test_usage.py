"""Figures of how codes are used."""

from __future__ import annotations

import math

import pytest
import torch

from neurogen.codebook import CodeForm
from neurogen.codebook.usage import bit_usage, use_figures, use_names


def test_bits_are_told_apart_by_step_and_by_place_in_the_code() -> None:
    items = torch.zeros(2, 2, 2, 1, 2, dtype=torch.uint8)  # (N, T, m, h, w)
    items[0, 0, 0, 0, 0] = 1  # bit (0, 0): 1 of 4 places
    items[:, 1, 1] = 1  # bit (1, 1): always 1; the other two never
    use = bit_usage(items)
    quarter = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert use.entropy == pytest.approx(quarter / 4)
    assert use.rate == pytest.approx((0.25 + 1.0) / 4)
    assert use.dead == 3


def test_the_form_says_which_figures_there_are() -> None:
    bits, rows = CodeForm(2, 2, 2, 1, 2), CodeForm(2, 0, 4, 1, 2)
    told = use_figures(torch.tensor([[[[0, 1]], [[2, 2]]]]), rows)
    assert tuple(told) == use_names(rows) == ("perplexity", "used_codes", "dead_codes")
    assert told["used_codes"] == 3
    assert told["dead_codes"] == 1
    told = use_figures(torch.ones(1, 2, 2, 1, 2, dtype=torch.uint8), bits)
    assert tuple(told) == use_names(bits) == ("bit_entropy", "bit_rate", "dead_bits")
    assert told == {"bit_entropy": 0.0, "bit_rate": 1.0, "dead_bits": 4}
