"""Averages of weights."""

from __future__ import annotations

import torch

from neurogen.codebook import TemporalCodebook
from neurogen.config import CodebookConfig
from neurogen.training.averaging import WeightAverage


def test_the_average_follows_a_codebook_through_its_start() -> None:
    torch.manual_seed(0)
    codebook = TemporalCodebook(CodebookConfig(size=4, width=2, learning="ema", start=3), 2).train()
    average, expected = WeightAverage(codebook, 0.5), codebook.table.clone()
    for _ in range(4):
        codebook(torch.randn(2, 3, 2, 4, 4))
        average.update()
        expected.lerp_(codebook.table, 0.5)
        with average.applied():
            assert torch.allclose(codebook.table, expected)
    assert average.state.keys() == codebook.state_dict().keys()
    assert int(average.state["step"]) == 4
