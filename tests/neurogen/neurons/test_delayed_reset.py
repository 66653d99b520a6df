"""The late subtractive reset: by hand, against a plain loop, and on every path that may run it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import pytest
import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor

from neurogen.neurons import LIF, compile_neurons, compiled, cupy
from neurogen.neurons.backend import choose_backend
from neurogen.neurons.delayed_reset import DelayedReset
from neurogen.neurons.surrogate import FastSigmoid
from tests.neurogen.neurons.peer import currents

BACKENDS = ["torch", "spikingjelly"]
SLOPES = {
    "atan": (surrogate.ATan(alpha=2.0), lambda u: 1 / (1 + (math.pi * u) ** 2)),
    "fast_sigmoid": (FastSigmoid(25.0), lambda u: 1 / (1 + 25 * u.abs()) ** 2),
}


class Step(torch.autograd.Function):
    """[u > 0] with any slope."""

    @staticmethod
    def forward(ctx, u: Tensor, slope: object) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(u)
        ctx.slope = slope
        return (u > 0).to(u.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        return grad * ctx.slope(ctx.saved_tensors[0]), None


def looped(x: Tensor, beta: float, theta: float, slope: object) -> tuple[Tensor, Tensor]:
    """Spikes and membranes (T, N, ...), straight from the equation."""
    u, spikes, membranes = torch.zeros_like(x[0]), [], []
    for current in x:
        u = beta * u + current - theta * (u > theta).to(u.dtype).detach()
        spikes.append(Step.apply(u - theta, slope))
        membranes.append(u)
    return torch.stack(spikes), torch.stack(membranes)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The functions that would be compiled run as they are."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    compiled._functions.cache_clear()
    monkeypatch.setattr(compiled, "missing", lambda: None)
    yield
    compiled._functions.cache_clear()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_reset_comes_a_step_late_and_does_not_decay(backend: str) -> None:
    # beta 0.5, theta 1.  u: 1 (no spike), 1.5 (spike), 0.75 + 1 - 1 = 0.75, 1.375 (spike), 0.6875 - 1 = -0.3125
    node = DelayedReset(0.5, 1.0, backend=backend)
    x = torch.tensor([[1.0], [1.0], [1.0], [1.0], [0.0]])
    assert node(x).flatten().tolist() == [0, 1, 0, 1, 0]
    assert node.v.tolist() == [-0.3125]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_fires_over_its_threshold_and_not_at_it(dtype: torch.dtype, backend: str) -> None:
    theta = torch.tensor(0.2, dtype=dtype)
    over = torch.nextafter(theta, torch.tensor(1.0, dtype=dtype))
    node = DelayedReset(0.5, 0.2, backend=backend)
    assert node(torch.stack([theta, over])[None]).tolist() == [[0, 1]]


@pytest.mark.parametrize("run", ["torch", "spikingjelly", "compiled", "a step at a time", "in two parts"])
@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.parametrize(("beta", "theta"), [(0.5, 1.0), (0.9, 0.3)])
def test_spikes_membranes_and_gradients_are_those_of_a_plain_loop(
    plain: None, beta: float, theta: float, name: str, run: str
) -> None:
    function, slope = SLOPES[name]
    x = currents(7, 4, 9, dtype=torch.float64)
    weights, last = currents(7, 4, 9, dtype=torch.float64, seed=1), currents(4, 9, dtype=torch.float64, seed=2)
    node = DelayedReset(beta, theta, function, backend="spikingjelly" if run == "spikingjelly" else "auto")
    if run == "compiled":
        compile_neurons(node)
        assert choose_backend("auto", node, x) is compiled
    parts = {"a step at a time": [1] * 7, "in two parts": [3, 4]}.get(run, [7])
    ours = x.clone().requires_grad_()
    spikes = torch.cat([node(part) for part in ours.split(parts)])
    ((spikes * weights).sum() + (node.v * last).sum()).backward()
    plainly = x.clone().requires_grad_()
    wanted, membranes = looped(plainly, beta, theta, slope)
    ((wanted * weights).sum() + (membranes[-1] * last).sum()).backward()
    assert torch.equal(spikes, wanted) and 0.1 < wanted.mean() < 0.9
    assert (node.v - membranes[-1]).abs().max() < 1e-14  # sums of a few numbers of order 1
    assert (ours.grad - plainly.grad).abs().max() < 1e-13


def test_membranes_of_all_steps_can_be_kept() -> None:
    x = currents(5, 3, 4, dtype=torch.float64)
    node = DelayedReset(0.5, 1.0, store_v_seq=True)
    spikes = node(x)
    wanted, membranes = looped(x, 0.5, 1.0, SLOPES["atan"][1])
    assert torch.equal(spikes, wanted) and torch.equal(node.v_seq, membranes)


def test_one_step_calls_give_what_all_steps_give() -> None:
    x = currents(5, 3, 4)
    many, single = DelayedReset(0.5, 0.5), DelayedReset(0.5, 0.5, step_mode="s")
    assert torch.equal(torch.stack([single(step) for step in x]), many(x))


def test_16_bits_keep_a_wide_membrane() -> None:
    x = currents(5, 3, 4).bfloat16()
    node = DelayedReset(0.5, 0.5)
    spikes = node(x)
    assert spikes.dtype == torch.bfloat16 and node.v.dtype == torch.float32
    assert torch.equal(spikes.float(), looped(x.float(), 0.5, 0.5, None)[0])


def test_a_reset_forgets_and_a_copy_after_training_does_not_share() -> None:
    x = currents(4, 3, 5)
    net = torch.nn.Sequential(DelayedReset(0.5, 0.5))
    first = net(x.requires_grad_())
    first.sum().backward()
    twin = copy.deepcopy(net)
    again = twin(x)
    functional.reset_net(net)
    assert torch.equal(net(x), first) and not torch.equal(again, first)


def test_it_is_none_of_spikingjellys_nodes_but_one_of_their_kind() -> None:
    node = DelayedReset()
    assert isinstance(node, neuron.BaseNode) and not isinstance(node, neuron.LIFNode)
    assert node.__class__ is DelayedReset
    assert isinstance(LIF(), neuron.LIFNode)


def test_backends_that_lack_this_reset_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from neurogen.neurons import braincog

    monkeypatch.setattr(cupy, "missing", lambda: None)
    monkeypatch.setattr(cupy, "DEVICES", ("cpu",))
    monkeypatch.setattr(braincog, "missing", lambda: None)
    with pytest.raises(ValueError, match="cupy cannot run this DelayedReset: its reset subtracts"):
        DelayedReset(backend="cupy")(currents(2, 3))
    with pytest.raises(ValueError, match="braincog cannot run this DelayedReset: BrainCog's nodes have no soft reset"):
        DelayedReset(backend="braincog")(currents(2, 3))


@pytest.mark.parametrize("beta", [0.0, 1.0, -0.5])
def test_a_share_that_is_none_is_refused(beta: float) -> None:
    with pytest.raises(ValueError, match="expected a membrane to keep a share beta between 0 and 1"):
        DelayedReset(beta)


def test_the_fast_sigmoid_has_height_one() -> None:
    u = torch.tensor([-0.04, 0.0, 0.04, 0.36], requires_grad=True)
    spikes = FastSigmoid(25.0)(u)
    spikes.sum().backward()
    assert spikes.tolist() == [0, 1, 1, 1]
    assert torch.allclose(u.grad, torch.tensor([0.25, 1.0, 0.25, 0.01]))
