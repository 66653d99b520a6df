"""Connections of convolutions, against impulses sent through them one by one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from neurogen.metrics.fan_out import fan_out


def by_impulses(layer: nn.Conv2d | nn.ConvTranspose2d, height: int, width: int) -> torch.Tensor:
    """(H, W) outputs that an impulse in the first channel reaches, by running the layer with weights of one."""
    nn.init.ones_(layer.weight)
    impulses = torch.zeros(height * width, layer.in_channels, height, width)
    impulses[:, 0] = torch.eye(height * width).view(-1, height, width)
    return (layer(impulses) != 0).flatten(1).sum(1).view(height, width)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 3, 3, 1, 1, bias=False),
        nn.Conv2d(2, 3, 5, 2, 2, bias=False),
        nn.Conv2d(2, 4, 3, 2, 0, bias=False),
        nn.Conv2d(2, 4, (3, 2), (1, 3), (0, 1), (2, 1), groups=2, bias=False),
        nn.Conv2d(2, 3, 1, 2, bias=False),
        nn.ConvTranspose2d(2, 3, 4, 2, 1, bias=False),
        nn.ConvTranspose2d(2, 3, 3, 2, 1, 1, bias=False),
        nn.ConvTranspose2d(2, 4, (3, 2), (1, 3), (2, 0), groups=2, bias=False),
    ],
    ids=str,
)
@torch.no_grad()
def test_a_place_has_as_many_connections_as_outputs_that_an_impulse_there_reaches(
    layer: nn.Conv2d | nn.ConvTranspose2d,
) -> None:
    output = layer(torch.zeros(1, 2, 6, 7))
    assert fan_out(layer, (6, 7), output.shape[2:]).tolist() == by_impulses(layer, 6, 7).tolist()


def test_a_corner_reaches_fewer_outputs_than_the_middle() -> None:
    found = fan_out(nn.Conv2d(1, 10, 3, 1, 1), (3, 3), (3, 3))
    assert found.tolist() == [[40, 60, 40], [60, 90, 60], [40, 60, 40]]


def test_a_transposed_convolution_is_not_counted_at_stride_squared() -> None:
    """Padding aside: 9 taps for each of the 4 x 4 inputs, not for each of the 8 x 8 outputs."""
    found = fan_out(nn.ConvTranspose2d(1, 1, 3, 2, 1, 1), (4, 4), (8, 8))
    assert int(found.sum()) == 11 * 11  # a row's inputs reach 2, 3, 3 and 3 outputs
    assert int(found.sum()) <= 9 * 16
