"""The linear layer for few rows: equal to torch's, one row at a time or several."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from neurogen.blocks import thin_linear
from neurogen.blocks.thin_linear import ThinLinear


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> ThinLinear:
    monkeypatch.setattr(thin_linear, "LARGE", 1)
    torch.manual_seed(0)
    return ThinLinear(37, 21)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_it_equals_the_matrix_product(layer: ThinLinear, dtype: torch.dtype, error: float) -> None:
    layer, x = layer.to(dtype), torch.randn(2, 3, 37, dtype=dtype)
    with torch.inference_mode():
        y = layer(x)
    assert layer._streams(x) is False  # gradients are on here
    expected = F.linear(x.double(), layer.weight.double(), layer.bias.double())
    assert float((y - expected).detach().abs().max()) < error


def test_a_row_does_not_depend_on_the_other_rows(layer: ThinLinear) -> None:
    x = torch.randn(8, 37)
    with torch.inference_mode():
        rows = [layer(x[:n]) for n in range(1, 9)]
    assert all(torch.equal(few, rows[-1][: len(few)]) for few in rows)


def test_with_a_gradient_it_is_an_ordinary_linear_layer(layer: ThinLinear) -> None:
    x = torch.randn(2, 37)
    y = layer(x)
    y.sum().backward()
    assert torch.equal(y, F.linear(x, layer.weight, layer.bias))
    assert layer.weight.grad is not None


def test_not_a_number_stays_visible(layer: ThinLinear) -> None:
    x = torch.randn(2, 37)
    x[1, 5] = float("nan")
    with torch.inference_mode():
        assert layer(x)[1].isnan().all()
