"""Batch norm of each step by itself against T calls of torch's, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from neurogen.blocks.step_norm import StepNorm, StepStage
from neurogen.neurons import LIF

T, N, C = 4, 3, 5
CLOSE = 1e-12  # float64, sums of some hundred terms of order 1


def equal(a: Tensor | None, b: Tensor | None) -> None:
    assert a is not None and b is not None
    torch.testing.assert_close(a, b, rtol=0, atol=CLOSE)


def norms() -> tuple[StepNorm, nn.BatchNorm2d]:
    ours, theirs = StepNorm(C).double(), nn.BatchNorm2d(C).double()
    torch.manual_seed(0)
    for name in ("weight", "bias"):
        nn.init.uniform_(getattr(ours, name), 0.5, 1.5)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def same_state(ours: StepNorm, theirs: nn.BatchNorm2d) -> None:
    for name, value in theirs.state_dict().items():
        equal(ours.state_dict()[name].double(), value.double())
    for name in ("weight", "bias"):
        equal(getattr(ours, name).grad, getattr(theirs, name).grad)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("places", [(), (2, 3)])
def test_all_steps_at_once_are_normalised_as_one_after_another(
    places: tuple[int, ...], layout: torch.memory_format
) -> None:
    ours, theirs = norms()
    x, weights = torch.randn(2, T, N, C, *places, dtype=torch.float64)
    if places:
        x = (10 * x).flatten(0, 1).contiguous(memory_format=layout).unflatten(0, (T, N))
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    made = ours(a)
    maps = b if places else b[..., None, None]
    expected = torch.stack([theirs(step) for step in maps]).view(x.shape)
    equal(made, expected)
    (made * weights).sum().backward()
    (expected * weights).sum().backward()
    equal(a.grad, b.grad)
    same_state(ours, theirs)
    equal(ours.eval()(x), theirs.eval()(maps.flatten(0, 1)).view(x.shape))


def test_what_is_shown_at_every_step_moves_the_statistics_as_often() -> None:
    ours, theirs = norms()
    x, weights = torch.randn(2, N, C, 2, 3, dtype=torch.float64)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    made, expected = ours.forward_constant(a, T), torch.stack([theirs(b) for _ in range(T)])
    equal(made, expected[-1])
    (made * weights).sum().backward()
    (expected.mean(0) * weights).sum().backward()
    equal(a.grad, b.grad)
    same_state(ours, theirs)
    assert ours.momentum == 0.1


def test_a_single_value_has_no_variance() -> None:
    with pytest.raises(ValueError, match="expected two items or more to train batch norm per step, got 1"):
        StepNorm(C)(torch.randn(T, 1, C))


def test_a_stage_takes_a_constant_input_as_the_same_at_every_step() -> None:
    torch.manual_seed(0)
    stage = StepStage(nn.Linear(6, C), None, LIF(), gain=3.0).double()
    x = torch.randn(N, 6, dtype=torch.float64)
    constant = stage.forward_constant(x, T)
    stage.neuron.reset()
    repeated = stage(x.expand(T, *x.shape))
    assert torch.equal(constant, repeated)
    assert 0 < constant.mean() < 1
    stage.neuron.reset()
    assert torch.equal(constant[0], LIF()(3 * stage.layer(x)[None])[0])
