"""The largest sums onto a neuron against weights that torch lays over frames of ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from export.extremes import largest_sums
from export.lowering import lower
from tests.export.zoo import run_link, zoo

ZOO = zoo(np.random.default_rng(3))


@pytest.mark.parametrize("loader", ["stock", "extended"])
@pytest.mark.parametrize("name", ZOO)
def test_no_neuron_has_more_than_its_own_weights(name: str, loader: str) -> None:
    before = None
    for link in lower(ZOO[name], loader):
        shape = before or (ZOO[name].input_shape if link.kind == "dense" else chip_frame(ZOO[name].input_shape))
        ones = torch.ones(1, *shape, dtype=torch.float64)
        for sign, found in zip((1, -1), largest_sums(link, link.weight, shape), strict=True):
            part = replace(link, weight=(sign * link.weight).clip(min=0), bias=None)
            expected = run_link(part, ones).reshape(link.shape[0], -1).amax(1)
            assert np.allclose(found, expected.numpy(), rtol=1e-12, atol=0)
        before = link.shape


def chip_frame(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if len(shape) == 3 else (*shape, 1, 1)
