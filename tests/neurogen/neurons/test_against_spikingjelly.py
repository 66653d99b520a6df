"""The fused neurons against SpikingJelly's own path: spikes bit for bit, gradients to rounding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import Tensor

from neurogen.neurons import LIF, PLIF, block
from tests.neurogen.neurons.peer import DYNAMICS, RESETS, SURROGATES, Outcome, currents, pair, run

EXACT = 1e-12  # float64: a few dozen roundings of 1e-16 on values of order 1
ROUNDED = 5e-6  # float32: the same roundings of 6e-8, in another order than SpikingJelly's backward


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 7 neurons, so that small tensors have several and a shorter last one."""
    monkeypatch.setattr(block, "BLOCK", 7)


def distance(a: Tensor, b: Tensor) -> float:
    """Distance of two gradients relative to their size."""
    return float((a - b).norm() / b.norm().clamp_min(1e-3))


def check(ours: Outcome, theirs: Outcome, tolerance: float) -> None:
    assert torch.equal(ours.spikes, theirs.spikes)
    assert torch.equal(ours.v, theirs.v)
    assert distance(ours.grad_x, theirs.grad_x) < tolerance
    assert distance(ours.grad_v0, theirs.grad_v0) < tolerance


@pytest.mark.parametrize("function", SURROGATES)
@pytest.mark.parametrize("detach", [True, False], ids=["detached", "through the reset"])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("dynamics", DYNAMICS)
def test_every_neuron_equals_spikingjellys(dynamics: str, reset: str, detach: bool, function: str) -> None:
    ours, theirs = pair(dynamics, reset, detach, function)
    for dtype, tolerance in ((torch.float64, EXACT), (torch.float32, ROUNDED)):
        x, v0 = currents(5, 2, 3, 5, dtype=dtype), currents(2, 3, 5, dtype=dtype, seed=3) / 3
        result = run(ours, x, v0)
        assert 0.05 < result.spikes.mean() < 0.95
        check(result, run(theirs, x, v0), tolerance)


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("function", ["triangle", "atan", "rect off centre"])
def test_a_learned_time_constant_gets_spikingjellys_gradient(function: str, reset: str, decay_input: bool) -> None:
    constants = (1.8, decay_input, 0.9, RESETS[reset], SURROGATES[function], True, "m")
    ours, theirs = PLIF(*constants), neuron.ParametricLIFNode(*constants)
    x, v0 = currents(5, 2, 7), currents(2, 7, seed=3) / 3
    check(run(ours, x, v0), run(theirs, x, v0), EXACT)
    for node in (ours, theirs):
        node.reset()
        node(x).square().sum().backward()
    assert ours.w.grad is not None
    assert torch.equal(ours.w.grad, theirs.w.grad)
    assert ours.w.grad != 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 3, 7), (3, 1, 1, 1), (16, 5, 3), (4, 2, 3, 5, 7)])
@pytest.mark.parametrize("detach", [True, False])
def test_odd_shapes_equal_spikingjellys(shape: tuple[int, ...], detach: bool) -> None:
    ours, theirs = pair("lif", "to 0", detach, "sigmoid")
    x, v0 = currents(*shape), torch.zeros(shape[1:], dtype=torch.float64)
    check(run(ours, x, v0), run(theirs, x, v0), EXACT)


def test_an_empty_batch_gives_an_empty_batch() -> None:
    x = torch.zeros(4, 0, 3, requires_grad=True)
    spikes = LIF(backend="torch")(x)
    spikes.sum().backward()
    assert spikes.shape == x.shape == x.grad.shape  # type: ignore[union-attr]


def layouts(x: Tensor) -> dict[str, Tensor]:
    """x (T, N, C, H, W) in other memory layouts."""
    t = x.shape[0]
    wide = x.new_zeros((*x.shape[:-1], 2 * x.shape[-1]))
    wide[..., ::2] = x
    return {
        "channels last": x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (t, -1)),
        "batch first": x.transpose(0, 1).contiguous().transpose(0, 1),
        "every second": wide[..., ::2],
        "expanded": x[0].expand(x.shape),
        "expanded, channels last": x[0].contiguous(memory_format=torch.channels_last).expand(x.shape),
    }


LAYOUTS = list(layouts(torch.zeros(1, 1, 1, 1, 1)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("detach", [True, False])
def test_memory_layouts_do_not_matter(layout: str, detach: bool) -> None:
    ours, theirs = pair("lif, odd tau", "to -0.2", detach, "atan")
    x = layouts(currents(4, 3, 2, 3, 5))[layout]
    v0 = (currents(3, 2, 3, 5, seed=3) / 3).contiguous(memory_format=torch.channels_last)
    assert not x.is_contiguous()
    check(run(ours, x, v0), run(theirs, x.contiguous(), v0.contiguous()), EXACT)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_gradient_in_another_layout_than_the_input_is_taken(layout: str) -> None:
    x = currents(4, 3, 2, 3, 5).requires_grad_()
    up = layouts(currents(4, 3, 2, 3, 5, seed=4))[layout]
    ours, theirs = pair("lif", "to 0", True, "triangle")
    grads = [torch.autograd.grad(node(x), x, up)[0] for node in (ours, theirs)]
    assert distance(*grads) < EXACT


def test_channels_last_stays_channels_last() -> None:
    x = layouts(currents(4, 3, 2, 3, 5))["channels last"].requires_grad_()
    node = LIF(backend="torch")
    spikes = node(x)
    (grad,) = torch.autograd.grad(spikes.sum(), x)
    assert spikes.stride() == grad.stride() == x.stride()
    assert node.v.is_contiguous(memory_format=torch.channels_last)


def test_an_expanded_input_sums_its_gradient_over_the_steps() -> None:
    image = currents(3, 7).requires_grad_()
    ours, theirs = pair("lif", "to 0", False, "atan")
    grads = [torch.autograd.grad(node(image.expand(6, 3, 7)).square().sum(), image)[0] for node in (ours, theirs)]
    assert distance(*grads) < EXACT


def test_without_gradient_the_spikes_are_the_same_and_nothing_is_kept() -> None:
    ours, theirs = pair("lif", "to 0", True, "atan")
    x = currents(5, 3, 7)
    with torch.no_grad():
        assert torch.equal(ours(x.requires_grad_()), theirs(x))
    assert ours.v.grad_fn is None
    ours.reset()
    assert not ours(x.detach()).requires_grad


def test_a_gradient_of_the_membrane_alone_passes() -> None:
    grads = []
    for node in pair("lif", "soft", True, "triangle"):
        x = currents(5, 3, 7).requires_grad_()
        node(x)
        grads.append(torch.autograd.grad(node.v.square().sum(), x)[0])
    assert distance(*grads) < EXACT


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("reset", RESETS)
def test_gradients_can_be_differentiated_again(reset: str, detach: bool) -> None:
    def second(node: Any) -> Tensor:
        x = currents(4, 2, 5).requires_grad_()
        (grad,) = torch.autograd.grad((node(x).cumsum(0).square().sum() + node.v.square().sum()), x, create_graph=True)
        return torch.autograd.grad(grad.square().sum(), x)[0]

    # Smooth surrogates only: the others' second derivative jumps. SpikingJelly's own is the step-by-step one.
    ours, theirs = pair("lif", reset, detach, "atan")
    assert distance(second(ours), second(theirs)) < 1e-10  # a derivative more: sums of larger terms


def test_nan_and_infinity_are_not_hidden() -> None:
    x = currents(3, 2)
    x[0, 0], x[1, 1] = float("nan"), float("inf")
    node = LIF(backend="torch")
    spikes = node(x)
    assert node.v[0].isnan()
    assert spikes[1, 1] == 1
