"""The fused gate x * LIF(x) against plain autograd, and how little it keeps."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import monitor, neuron
from torch import Tensor

from neurogen.neurons import LIF, PLIF, Gate, block
from tests.neurogen.neurons.peer import DYNAMICS, RESETS, SURROGATES, currents, pair, saved_bytes

EXACT = 1e-12  # float64: a few dozen roundings of 1e-16 on values of order 1


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 7 neurons, so that small tensors have several and a shorter last one."""
    monkeypatch.setattr(block, "BLOCK", 7)


def run(gate: Any, node: Any, x: Tensor, v0: Tensor) -> tuple[Tensor, ...]:
    """y, last membrane, and gradients of x and of the first membrane."""
    x, v0 = x.detach().requires_grad_(), v0.detach().requires_grad_()
    node.reset()
    node.v = v0
    y = gate(x)
    up, up_v = currents(*x.shape, dtype=x.dtype, seed=5), currents(*v0.shape, dtype=x.dtype, seed=6)
    return y.detach(), node.v.detach(), *torch.autograd.grad((y, node.v), (x, v0), (up, up_v))


def close(a: Tensor, b: Tensor, tolerance: float) -> bool:
    return float((a - b).norm() / b.norm().clamp_min(1e-3)) < tolerance


@pytest.mark.parametrize("function", SURROGATES)
@pytest.mark.parametrize("detach", [True, False], ids=["detached", "through the reset"])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("dynamics", DYNAMICS)
def test_every_gate_equals_plain_autograd(dynamics: str, reset: str, detach: bool, function: str) -> None:
    ours, theirs = pair(dynamics, reset, detach, function)
    for dtype, tolerance in ((torch.float64, EXACT), (torch.float32, 5e-6)):
        x, v0 = currents(5, 2, 3, 5, dtype=dtype), currents(2, 3, 5, dtype=dtype, seed=3) / 3
        y, v, *grads = run(Gate(ours), ours, x, v0)
        y_, v_, *grads_ = run(lambda x, node=theirs: x * node(x), theirs, x, v0)
        assert torch.equal(y, y_)
        assert torch.equal(v, v_)
        assert all(close(a, b, tolerance) for a, b in zip(grads, grads_, strict=True))


@pytest.mark.parametrize("steps", [1, 3, 9])
def test_any_number_of_steps_equals_plain_autograd(steps: int) -> None:
    ours, theirs = pair("lif", "to 0", False, "sigmoid")
    x, v0 = currents(steps, 3, 5), torch.zeros(3, 5, dtype=torch.float64)
    *_, grad, _ = run(Gate(ours), ours, x, v0)
    *_, grad_, _ = run(lambda x: x * theirs(x), theirs, x, v0)
    assert close(grad, grad_, EXACT)


@pytest.mark.parametrize("layout", ["channels last", "expanded", "batch first"])
def test_memory_layouts_do_not_matter(layout: str) -> None:
    plain = currents(4, 3, 2, 3, 5)
    x = {
        "channels last": plain.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (4, 3)),
        "expanded": plain[0].expand(4, 3, 2, 3, 5),
        "batch first": plain.transpose(0, 1).contiguous().transpose(0, 1),
    }[layout]
    ours, theirs = pair("lif", "to 0", True, "atan")
    v0 = torch.zeros(3, 2, 3, 5, dtype=torch.float64)
    y, _, grad, _ = run(Gate(ours), ours, x, v0)
    y_, _, grad_, _ = run(lambda x: x * theirs(x), theirs, x.contiguous(), v0)
    assert torch.equal(y, y_)
    assert close(grad, grad_, EXACT)
    if layout == "channels last":
        assert y.stride() == x.stride()


def test_it_keeps_at_most_five_bytes_an_element_where_plain_autograd_keeps_sixteen() -> None:
    x = currents(4, 4096, dtype=torch.float32).requires_grad_()
    node = neuron.LIFNode(2.0, detach_reset=True, step_mode="m", surrogate_function=SURROGATES["triangle"])
    assert saved_bytes(lambda: Gate(LIF(backend="torch"))(x)) <= 5 * x.numel()
    assert saved_bytes(lambda: x * node(x)) >= 16 * x.numel()


def test_without_gradient_nothing_is_kept() -> None:
    gate = Gate(LIF(backend="torch"))
    with torch.no_grad():
        assert saved_bytes(lambda: gate(currents(4, 7).requires_grad_())) == 0
    assert gate.neuron.v.grad_fn is None


def test_the_membrane_goes_on_from_call_to_call() -> None:
    x, gate = currents(6, 3, 5), Gate(LIF(backend="torch"))
    whole = gate(x)
    gate.neuron.reset()
    assert torch.equal(torch.cat([gate(x[:2]), gate(x[2:])]), whole)


def test_a_gradient_of_the_membrane_alone_passes() -> None:
    grads = []
    ours, theirs = pair("lif", "soft", True, "triangle")
    for gate, node in ((Gate(ours), ours), (lambda x: x * theirs(x), theirs)):
        x = currents(5, 3, 7).requires_grad_()
        gate(x)
        grads.append(torch.autograd.grad(node.v.square().sum(), x)[0])
    assert close(*grads, EXACT)


@pytest.mark.parametrize("detach", [True, False])
def test_gradients_can_be_differentiated_again(detach: bool) -> None:
    ours, theirs = pair("lif", "to 0", detach, "atan")
    found = []
    for gate in (Gate(ours), lambda x: x * theirs(x)):
        x = currents(4, 2, 5).requires_grad_()
        (grad,) = torch.autograd.grad(gate(x).square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(grad.square().sum(), x)[0])
    assert close(*found, 1e-10)  # a derivative more: sums of larger terms


@pytest.mark.parametrize("backend", ["torch", "spikingjelly"])
def test_a_monitor_on_the_neuron_sees_its_spikes(backend: str) -> None:
    gate, x = Gate(LIF(backend=backend)), currents(4, 7)
    plain = gate(x)
    gate.neuron.reset()
    with monitor.OutputMonitor(gate, LIF) as seen:
        assert torch.equal(gate(x), plain)
    assert torch.equal(seen.records[0] * x, plain)


@pytest.mark.parametrize("detach", [True, False])
def test_watching_a_gate_changes_no_bit_of_its_gradient(detach: bool) -> None:
    gate, x = Gate(LIF(backend="torch", detach_reset=detach)), currents(4, 3, 7, dtype=torch.float32)
    plain = run(gate, gate.neuron, x, torch.zeros(3, 7))
    with monitor.OutputMonitor(gate, LIF):
        watched = run(gate, gate.neuron, x, torch.zeros(3, 7))
    assert all(torch.equal(a, b) for a, b in zip(plain, watched, strict=True))


def test_a_gate_of_learned_neurons_or_single_steps_is_the_plain_product() -> None:
    x = currents(4, 7)
    learned = PLIF()
    y = Gate(learned)(x)
    learned.reset()
    assert torch.equal(y, x * learned(x))
    single = Gate(LIF(step_mode="s"))
    assert torch.equal(torch.stack([single(step) for step in x]), Gate(LIF())(x))


def test_it_can_be_copied_after_a_training_step() -> None:
    gate = Gate(LIF(backend="torch"))
    x = currents(4, 7).requires_grad_()
    gate(x).sum().backward()
    twin = copy.deepcopy(gate)
    assert torch.equal(twin.neuron.v, gate.neuron.v)
    assert torch.equal(twin(x), gate(x))
