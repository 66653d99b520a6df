"""The read-out that weighs steps by what they show."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neurogen.blocks.decayed_readout import DecayedReadOut
from neurogen.blocks.temporal_readout import TemporalReadOut


def _spikes(steps: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(steps, 2, 3, 5, 5, generator=generator, dtype=torch.float64) < 0.4).double()


def _readout(steps: int) -> TemporalReadOut:
    torch.manual_seed(0)
    return TemporalReadOut(3, 2, steps).double()


def _awake(steps: int) -> TemporalReadOut:
    """One that attends."""
    readout = _readout(steps)
    torch.nn.init.normal_(readout.attention.weight)
    return readout


def test_constant_weights_are_the_fixed_read_out() -> None:
    readout, fixed = _readout(4), DecayedReadOut(3, 2, event=False).double()
    fixed.conv.load_state_dict(readout.conv.state_dict())
    with torch.no_grad():
        fixed_weights = torch.tensor([0.8**3, 0.8**2, 0.8, 1.0], dtype=torch.float64)
        readout.attention.bias.copy_(torch.logit(fixed_weights))  # infinite for a weight of 1
    torch.testing.assert_close(readout(_spikes(4)), fixed(_spikes(4)), rtol=1e-12, atol=1e-12)


def test_it_starts_close_to_the_fixed_read_out() -> None:
    readout, fixed = _readout(4), DecayedReadOut(3, 2, event=False).double()
    fixed.conv.load_state_dict(readout.conv.state_dict())
    torch.testing.assert_close(readout(_spikes(4)), fixed(_spikes(4)), rtol=0, atol=0.01)


def test_it_equals_the_convolution_of_every_weighted_step() -> None:
    readout, spikes = _awake(4), _spikes(4)
    weight, bias = readout.attention.weight, readout.attention.bias
    total = torch.zeros(2, 2, 5, 5, dtype=torch.float64)
    for t in range(4):
        logits = bias[t] + sum(weight[t, s] * spikes[s].mean((2, 3)) for s in range(4))
        weighted = spikes[t] * torch.sigmoid(logits)[..., None, None]
        total = total + torch.nn.functional.conv_transpose2d(weighted, readout.conv.weight, padding=1)
    shares = 1 + 0.8 + 0.8**2 + 0.8**3
    expected = torch.tanh(total + shares * readout.conv.bias[:, None, None])
    torch.testing.assert_close(readout(spikes), expected, rtol=1e-12, atol=1e-12)


def test_attention_learns() -> None:
    readout = _readout(4)
    readout(_spikes(4)).square().sum().backward()
    for parameter in readout.attention.parameters():
        assert parameter.grad is not None
        assert (parameter.grad != 0).all()


def test_steps_to_come_count_as_silent() -> None:
    readout, spikes = _awake(4), _spikes(4)
    silent = torch.cat((spikes[:2], torch.zeros_like(spikes[2:])))
    torch.testing.assert_close(readout(spikes[:2]), readout(silent), rtol=1e-12, atol=1e-12)


def test_more_steps_than_it_was_built_for_are_refused() -> None:
    with pytest.raises(ValueError, match="expected up to 4 steps to read out, got 5"):
        _readout(4)(_spikes(5))
