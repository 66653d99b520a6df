"""Stateless layers on all steps at once."""

from __future__ import annotations

import torch
from torch import nn

from neurogen.blocks import Folded, fold


def test_a_folded_layer_does_to_every_step_what_it_does_alone() -> None:
    layer, x = nn.Conv2d(2, 3, 3, 2, 1).double(), torch.rand(4, 2, 2, 6, 6, dtype=torch.float64)
    expected = torch.stack([layer(step) for step in x])
    assert expected.shape == (4, 2, 3, 3, 3)
    assert torch.allclose(fold(layer, x), expected, atol=1e-14, rtol=0)
    assert torch.equal(Folded(layer)(x), fold(layer, x))


def test_a_folded_layer_is_called_once_for_all_steps() -> None:
    layer, calls = nn.Identity(), []
    layer.register_forward_hook(lambda _layer, inputs, _out: calls.append(tuple(inputs[0].shape)))
    fold(layer, torch.rand(4, 2, 1, 3, 3))
    assert calls == [(8, 1, 3, 3)]


def test_channels_stay_innermost_in_memory() -> None:
    x = torch.rand(8, 2, 3, 3).contiguous(memory_format=torch.channels_last).unflatten(0, (4, 2))
    assert fold(nn.Identity(), x).data_ptr() == x.data_ptr()
