"""The membrane: traces computed by hand, ties, precision, and how it goes on from call to call."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from neurogen.neurons import IF, LIF, PLIF, Gate
from tests.neurogen.neurons.peer import currents

BACKENDS = ["torch", "spikingjelly"]


def column(*values: float) -> Tensor:
    """One neuron's values over time: (T, 1)."""
    return torch.tensor(values)[:, None]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_leaky_neuron_with_hard_reset_follows_the_trace_by_hand(backend: str) -> None:
    # tau 2, threshold 1: h = v / 2 + x / 2.  h: 0.75, 1.125 -> 0, 1.0 -> 0 (a tie), 0.25
    node = LIF(tau=2.0, v_threshold=1.0, backend=backend)
    assert node(column(1.5, 1.5, 2.0, 0.5)).flatten().tolist() == [0, 1, 1, 0]
    assert node.v.tolist() == [0.25]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_whole_input_and_a_reset_below_rest_follow_the_trace_by_hand(backend: str) -> None:
    # tau 2, v_reset -0.5: h = (v - 0.5) / 2 + x from v = -0.5.  h: 0.5, 1.25 -> -0.5, 0.0
    node = LIF(tau=2.0, decay_input=False, v_threshold=1.0, v_reset=-0.5, backend=backend)
    assert node(column(1.0, 1.25, 0.5)).flatten().tolist() == [0, 1, 0]
    assert node.v.tolist() == [0.0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_soft_reset_keeps_what_is_above_the_threshold(backend: str) -> None:
    # no leak, threshold 1: h: 2.5 -> 1.5, 1.5 -> 0.5, 0.75
    node = IF(v_threshold=1.0, v_reset=None, backend=backend)
    assert node(column(2.5, 0.0, 0.25)).flatten().tolist() == [1, 1, 0]
    assert node.v.tolist() == [0.75]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_neuron_fires_exactly_at_its_threshold_and_not_one_rounding_below(backend: str) -> None:
    below = float(torch.nextafter(torch.tensor(0.5), torch.tensor(0.0)))
    node = IF(v_threshold=0.5, backend=backend)
    assert node(torch.tensor([[0.5, below]])).tolist() == [[1, 0]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_gradient_is_the_one_computed_by_hand(backend: str) -> None:
    # no leak, threshold 1, triangle max(0, 1 - |h - 1|): h: 0.75, 1.5 (fires), slopes 0.75 and 0.5.
    # Reset not detached: v2 = h2 (1 - s2), dv2/dh2 = 0 - 1.5 x 0.5 = -0.75. With L = s1 + s2 + 2 v2:
    # dL/dx2 = 0.5 + 2 x -0.75 = -1;  dL/dx1 = 0.75 + dL/dh2 (dh2/dv1) (dv1/dh1), dv1/dh1 = 1 - 0.75 x 0.75 = 0.4375.
    x = column(0.75, 0.75).requires_grad_()
    node = IF(v_threshold=1.0, detach_reset=False, backend=backend)
    spikes = node(x)
    (spikes.sum() + 2 * node.v.sum()).backward()
    assert spikes.flatten().tolist() == [0, 1]
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [0.75 - 0.4375, -1.0]


@pytest.mark.parametrize("backend", ["auto", *BACKENDS])
@pytest.mark.parametrize("store", [False, True])
@pytest.mark.parametrize("mode", ["m", "s"])
def test_the_membrane_is_float32_under_autocast(backend: str, store: bool, mode: str) -> None:
    torch.manual_seed(0)
    dense = nn.Linear(6, 50)
    node = LIF(backend=backend, store_v_seq=store, step_mode=mode)
    with torch.autocast("cpu", torch.bfloat16):
        x = dense(currents(8, 4, 6, dtype=torch.float32))
        spikes = node(x) if mode == "m" else torch.stack([node(step) for step in x])
    assert x.dtype == spikes.dtype == torch.bfloat16
    assert node.v.dtype == torch.float32
    wide = LIF(backend="spikingjelly")
    assert torch.equal(wide(x.float()), spikes.float())
    assert torch.equal(wide.v, node.v)


@pytest.mark.parametrize("backend", BACKENDS)
def test_sixteen_bit_input_gets_a_sixteen_bit_gradient(backend: str) -> None:
    x = currents(8, 4, 6, dtype=torch.bfloat16).requires_grad_()
    wide = x.detach().float().requires_grad_()
    LIF(backend=backend)(x).sum().backward()
    LIF(backend=backend)(wide).sum().backward()
    assert x.grad is not None
    assert wide.grad is not None
    assert x.grad.dtype == torch.bfloat16
    assert torch.equal(x.grad, wide.grad.bfloat16())


def test_a_gate_under_autocast_keeps_its_type_and_a_float32_membrane() -> None:
    for gate in (Gate(LIF(backend="torch")), Gate(LIF(backend="spikingjelly")), Gate(PLIF())):
        x = currents(8, 4, 6, dtype=torch.bfloat16)
        with torch.autocast("cpu", torch.bfloat16):
            y = gate(x)
        assert y.dtype == torch.bfloat16
        assert gate.neuron.v.dtype == torch.float32
        assert torch.equal(y != 0, LIF()(x) != 0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", [LIF, IF])
def test_a_recording_in_two_pieces_is_the_recording_in_one(kind: type, backend: str) -> None:
    x, up = currents(7, 3, 5), currents(7, 3, 5, seed=1)
    found = []
    for pieces in ((x,), (x[:3], x[3:])):
        node = kind(backend=backend)
        parts = [piece.clone().requires_grad_() for piece in pieces]
        spikes = torch.cat([node(part) for part in parts])
        found.append((spikes, node.v, torch.cat(torch.autograd.grad((spikes * up).sum(), parts))))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_input_of_another_shape_starts_at_rest(backend: str) -> None:
    node, fresh = LIF(v_reset=-0.25, backend=backend), LIF(v_reset=-0.25, backend=backend)
    node(currents(3, 4))
    assert torch.equal(node(currents(3, 5)), fresh(currents(3, 5)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_number_can_be_set_as_the_first_membrane(backend: str) -> None:
    node = IF(v_threshold=1.0, backend=backend)
    node.v = 0.75
    assert node(column(0.25, 0.25)).flatten().tolist() == [1, 0]


@pytest.mark.parametrize(("kind", "name"), [(LIF, "tau"), (PLIF, "init_tau")])
def test_a_time_constant_of_one_step_or_less_is_refused(kind: type, name: str) -> None:
    with pytest.raises(ValueError, match=rf"expected .*{name} above 1 step, got 1"):
        kind(1.0)


def test_whole_numbers_are_taken_for_constants() -> None:
    node = LIF(tau=2, v_threshold=1, v_reset=0)  # type: ignore[arg-type]
    assert (node.tau, node.v_threshold, node.v_reset) == (2.0, 1.0, 0.0)
    assert node(column(2.0)).item() == 1
