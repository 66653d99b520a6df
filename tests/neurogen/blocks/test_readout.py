"""The last convolution: what each read-out sees, and the range of what comes out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neurogen.blocks import ReadOut


def made(readout: str, output: str = "linear", kernel: int = 3, upscale: int = 1) -> ReadOut:
    """Three steps of five channels to two."""
    torch.manual_seed(0)
    return ReadOut(5, 2, kernel, upscale, readout, 3, output).double()


def features() -> Tensor:
    return torch.rand(3, 4, 5, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


WEIGHTS = {"mean": (1 / 3, 1 / 3, 1 / 3), "sum": (1.0, 1.0, 1.0), "last": (0.0, 0.0, 1.0), "decay": (0.64, 0.8, 1.0)}


@pytest.mark.parametrize("readout", WEIGHTS)
def test_reading_the_aggregate_is_aggregating_what_is_read_with_the_bias_once(readout: str) -> None:
    layer = made(readout)
    bias = layer.conv.bias[:, None, None]
    each = [layer.conv(step) - bias for step in features()]
    expected = sum(w * step for w, step in zip(WEIGHTS[readout], each, strict=True)) + bias
    assert torch.allclose(layer(features()), expected, atol=1e-13, rtol=0)


def test_per_step_every_frame_comes_from_its_own_step_by_the_same_weights() -> None:
    layer, x = made("step"), features()
    frames = layer(x)
    assert frames.shape == (4, 3, 2, 6, 6)
    assert torch.allclose(frames, torch.stack([layer.conv(step) for step in x], 1), atol=1e-14, rtol=0)


def test_all_reads_every_frame_from_every_step() -> None:
    layer, x = made("all"), features().requires_grad_()
    frames = layer(x)
    assert frames.shape == (4, 3, 2, 6, 6)
    for t in range(3):
        (grad,) = torch.autograd.grad(frames[:, t].sum(), x, retain_graph=True)
        assert grad.abs().amax((1, 2, 3, 4)).min() > 0
    expected = layer.conv(torch.cat(list(x), 1))  # channels of step 0, 1, 2 to those of frame 0, 1, 2
    assert torch.allclose(frames, torch.stack(expected.split(2, 1), 1), atol=1e-14, rtol=0)


@pytest.mark.parametrize(("readout", "shape"), [("mean", (4, 2, 12, 12)), ("all", (4, 3, 2, 12, 12))])
def test_upscaling_doubles_both_sides(readout: str, shape: tuple[int, ...]) -> None:
    layer = made(readout, kernel=5, upscale=2)
    y = layer(features())
    assert y.shape == shape
    raw = layer.conv(features().mean(0) if readout == "mean" else torch.cat(list(features()), 1))
    corner = y.flatten(1, -3)[:, 0, :2, :2].flatten(1)
    assert torch.allclose(corner, raw[:, :4, 0, 0], atol=1e-14, rtol=0)


def test_tanh_ends_in_its_range_and_softplus_above_zero() -> None:
    large = 100 * (features() - 0.5)
    assert made("mean", "tanh")(large).abs().max() <= 1
    assert made("mean", "softplus")(large).min() > 0
    assert made("mean")(large).abs().max() > 1


def test_rates_start_near_the_mean_count_of_recordings() -> None:
    rates = made("step", "softplus")(torch.zeros(3, 1, 5, 6, 6, dtype=torch.float64))
    assert torch.allclose(rates, torch.full_like(rates, 0.513015), atol=1e-6)  # ln(1 + e^-0.4)
