"""Surrogate derivatives: the box by hand, and each that the fused path knows against SpikingJelly's."""

from __future__ import annotations

import pytest
import torch
from spikingjelly.activation_based import surrogate
from torch import Tensor

from neurogen.neurons import LIF, Rect
from neurogen.neurons.surrogate import SURROGATES, can_fuse, derivative_
from tests.neurogen.neurons import peer


def slope(function: torch.nn.Module, u: Tensor) -> Tensor:
    u = u.clone().requires_grad_()
    return torch.autograd.grad(function(u).sum(), u)[0]


def test_the_even_box_is_the_papers() -> None:
    u = torch.tensor([-0.51, -0.5, -0.49, 0.0, 0.49, 0.5])
    assert slope(Rect(1.0), u).tolist() == [0, 0, 1, 1, 1, 0]


def test_the_box_of_the_release_lies_below_the_threshold() -> None:
    u = torch.tensor([-0.75, -0.65, 0.0, 0.25, 0.35])
    assert slope(Rect(1.0, -0.2), u).tolist() == [0, 1, 1, 1, 0]


def test_a_narrow_box_is_high() -> None:
    assert slope(Rect(0.25), torch.tensor([-0.2, -0.1, 0.1])).tolist() == [0, 4, 4]


def test_the_box_spikes_at_zero() -> None:
    assert Rect(1.0, -0.2)(torch.tensor([-1e-6, 0.0, 1e-6])).tolist() == [0, 1, 1]


def test_a_box_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a width above 0, got 0"):
        Rect(0.0)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("name", SURROGATES)
def test_every_surrogate_of_a_configuration_is_fused_as_spikingjelly_has_it(name: str, alpha: float) -> None:
    function, u = SURROGATES[name](alpha), torch.linspace(-3, 3, 101, dtype=torch.float64)
    out = torch.empty_like(u)
    derivative_(out, -u, function, 0.5)
    assert can_fuse(function)
    assert (out - 0.5 * slope(function, u)).abs().max() < 1e-14  # a few roundings of 1e-16
    assert out.max() > 0


def test_the_triangle_has_height_alpha_and_ends_at_one_over_alpha() -> None:
    u = torch.tensor([-0.5, -0.25, 0.0, 0.25, 0.5])
    assert slope(SURROGATES["triangle"](2.0), u).tolist() == [0, 1, 2, 1, 0]


@pytest.mark.parametrize(
    "function",
    [surrogate.S2NN(), surrogate.ATan(spiking=False), surrogate.ATan(alpha=torch.tensor(2.0)), torch.nn.Sigmoid()],
    ids=["unknown", "not spiking", "learned", "foreign"],
)
def test_what_is_not_known_is_left_to_spikingjelly(function: torch.nn.Module) -> None:
    assert not can_fuse(function)


def test_an_unfused_surrogate_still_runs() -> None:
    x = peer.currents(4, 7).requires_grad_()
    LIF(surrogate_function=surrogate.S2NN())(x).sum().backward()
    assert x.grad is not None
    assert x.grad.any()
