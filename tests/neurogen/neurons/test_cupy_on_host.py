"""The CUDA kernels' own source, run on the CPU, against SpikingJelly's plain steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import Tensor

from neurogen.neurons import LIF, PLIF, Gate
from tests.neurogen.live_bytes import LiveBytes
from tests.neurogen.neurons.on_host import OnHost, variant
from tests.neurogen.neurons.peer import DYNAMICS, RESETS, SURROGATES, currents, pair, saved_bytes

ROUNDED = 3e-7  # float32: a few roundings of 6e-8
Layer = Callable[[Tensor], Tensor]
F32 = torch.float32


def distance(a: Tensor, b: Tensor) -> float:
    return float((a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-3))


def outcome(
    layer: Layer, node: Any, x: Tensor, v0: Tensor | None = None, rounded: torch.dtype = F32
) -> tuple[Tensor, ...]:
    """Output, last membrane, and the gradients of x, of the node's parameters, and of v0 where it is given."""
    x = x.detach().requires_grad_()
    node.reset()
    inputs = [x, *node.parameters()]
    if v0 is not None:
        node.v = v0.detach().requires_grad_()
        inputs.append(node.v)
    y = layer(x)
    up = currents(*x.shape, dtype=rounded, seed=5).to(x.dtype)
    up_v = currents(*x.shape[1:], dtype=F32, seed=6)
    return y.detach(), node.v.detach(), *torch.autograd.grad((y, node.v), inputs, (up, up_v))


def check(ours: Any, theirs: Any, x: Tensor, v0: Tensor | None = None, tolerance: float = ROUNDED) -> None:
    """Neurons and gates of them: outputs and membranes bit for bit, gradients to rounding."""
    for a, b in ((ours, theirs), (Gate(ours), lambda x: x * theirs(x))):
        found, expected = outcome(a, ours, x, v0), outcome(b, theirs, x.contiguous(), v0)
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])
        for p, q in zip(found[2:], expected[2:], strict=True):
            if p.ndim:
                assert distance(p, q) < tolerance
            else:  # a sum over all of x, whose terms cancel
                assert abs(p - q) < tolerance * x.numel() ** 0.5


VARIANTS = list(itertools.product(DYNAMICS, RESETS, (True, False)))


@pytest.mark.parametrize("number", range(len(VARIANTS)))
def test_every_neuron_and_gate_equals_spikingjellys(on_host: OnHost, number: int) -> None:
    names = list(SURROGATES)
    for function in (names[(number + offset) % len(names)] for offset in (0, 3, 7)):  # each nine times
        ours, theirs = pair(*VARIANTS[number], function, "cupy")
        x, v0 = currents(4, 3, 4, 5, dtype=F32), currents(3, 4, 5, dtype=F32, seed=3) / 3
        check(ours, theirs, x, v0)
    assert len(on_host.launched) == 12


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("shape", [(4, 3, 4, 5), (3, 7, 43), (1, 4)])
def test_a_learned_time_constant_gets_its_gradient(
    on_host: OnHost, shape: tuple[int, ...], reset: str, decay_input: bool
) -> None:
    constants = (1.8, decay_input, 0.9, RESETS[reset], SURROGATES["atan"], False, "m")
    ours, theirs = PLIF(*constants, backend="cupy"), neuron.ParametricLIFNode(*constants)
    check(ours, theirs, currents(*shape, dtype=F32), currents(*shape[1:], dtype=F32, seed=3) / 3)
    assert variant(on_host.launched[1][0])["LEARNED"] == 1


@pytest.mark.parametrize(("steps", "chunk"), [(1, 4), (3, 4), (5, 8), (8, 8), (9, 16), (16, 16), (17, 16), (37, 16)])
def test_any_number_of_steps_is_recomputed_right(on_host: OnHost, steps: int, chunk: int) -> None:
    ours, theirs = pair("lif", "to -0.2", False, "atan", "cupy")
    # Longer runs add up more roundings.
    x, v0 = currents(steps, 3, 8, dtype=F32), currents(3, 8, dtype=F32, seed=3) / 3
    check(ours, theirs, x, v0, tolerance=6e-7)
    assert variant(on_host.launched[1][0])["CHUNK"] == chunk


@pytest.mark.parametrize(("shape", "width"), [((4, 3, 8), 4), ((4, 3, 7), 1), ((4, 1), 1), ((4, 2, 1000), 4)])
def test_odd_sizes_take_narrow_accesses(on_host: OnHost, shape: tuple[int, ...], width: int) -> None:
    check(*pair("lif", "to 0", True, "atan", "cupy"), currents(*shape, dtype=F32))
    assert {variant(kernel)["VEC"] for kernel, _ in on_host.launched} == {width}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_currents_meet_a_float32_membrane(on_host: OnHost, dtype: torch.dtype) -> None:
    ours, theirs = pair("lif, odd tau", "to -0.2", False, "atan", "cupy")
    x, v0 = currents(4, 3, 16, dtype=dtype), currents(3, 16, dtype=F32, seed=3) / 3
    for a, b in ((ours, theirs), (Gate(ours), lambda x: x * theirs(x))):
        found, expected = outcome(a, ours, x, v0, dtype), outcome(b, theirs, x.float(), v0, dtype)
        assert found[0].dtype == found[2].dtype == dtype
        assert found[1].dtype == F32
        assert torch.equal(found[0], expected[0].to(dtype))
        assert torch.equal(found[1], expected[1])
        # x's gradient is rounded once, to nearest, at the very end
        assert torch.allclose(found[2].float(), expected[2], rtol=0.51 * torch.finfo(dtype).eps, atol=1e-7)
        assert distance(found[3], expected[3]) < ROUNDED
    assert {variant(kernel)["VEC"] for kernel, _ in on_host.launched} == {8}


def layouts(x: Tensor) -> dict[str, Tensor]:
    """x (T, N, C, H, W) in other memory layouts."""
    last = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (len(x), -1))
    apart = torch.stack([x, x + 1], 1)[:, 0]  # steps with gaps between them
    return {"channels last": last, "batch first": x.transpose(0, 1).contiguous().transpose(0, 1), "apart": apart} | {
        "expanded": x[:1].expand(x.shape),
        "expanded, channels last": last[:1].expand(x.shape),
        "one value": x[:1, :1, :1, :1, :1].expand(x.shape),
    }


LAYOUTS = list(layouts(torch.zeros(1, 1, 1, 1, 1)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layouts_do_not_matter(on_host: OnHost, layout: str) -> None:
    x = layouts(currents(4, 3, 4, 3, 5, dtype=F32))[layout]
    v0 = (currents(3, 4, 3, 5, dtype=F32, seed=3) / 3).contiguous(memory_format=torch.channels_last)
    check(*pair("lif", "to -0.2", True, "atan", "cupy"), x, v0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_gradient_in_another_layout_than_the_input_is_taken(on_host: OnHost, layout: str) -> None:
    x = currents(4, 3, 4, 3, 5, dtype=F32).requires_grad_()
    up = layouts(currents(4, 3, 4, 3, 5, dtype=F32, seed=4))[layout]
    grads = [torch.autograd.grad(node(x), x, up)[0] for node in pair("lif", "to 0", True, "triangle", "cupy")]
    assert distance(*grads) < ROUNDED


@pytest.mark.parametrize("layout", ["channels last", "expanded", "apart"])
def test_such_layouts_are_read_where_they_lie(on_host: OnHost, layout: str) -> None:
    x = layouts(currents(4, 3, 4, 3, 5, dtype=F32))[layout]
    node = LIF(backend="cupy")
    with LiveBytes() as live:
        spikes = node(x)
    assert live.peak == 4 * (spikes.numel() + spikes[0].numel())  # spikes and the last membrane, no copy of x
    assert spikes.stride() == (180, *x.stride()[1:])
    assert node.v.stride() == x.stride()[1:]


def test_a_gradient_that_is_one_row_for_all_steps_is_read_where_it_lies(on_host: OnHost) -> None:
    x = currents(4, 8, dtype=F32).requires_grad_()
    spikes = LIF(backend="cupy")(x).mean(0)
    with LiveBytes() as live:
        spikes.sum().backward()
    assert live.peak <= 4 * (4 * 8 + 3 * 8) + 64  # the gradient of x, rows of mean and sum


def test_channels_last_stays_channels_last_backwards(on_host: OnHost) -> None:
    x = layouts(currents(4, 3, 4, 3, 5, dtype=F32))["channels last"].requires_grad_()
    spikes = LIF(backend="cupy")(x)
    (grad,) = torch.autograd.grad(spikes, x, torch.ones_like(spikes))
    assert spikes.stride() == grad.stride() == x.stride()


@pytest.mark.parametrize("wrap", [lambda node: node, Gate], ids=["neuron", "gate"])
def test_without_gradient_two_values_an_element_move_and_nothing_is_kept(on_host: OnHost, wrap: Any) -> None:
    layer = wrap(LIF(backend="cupy"))
    x = currents(4, 1000, dtype=F32).requires_grad_()
    with torch.no_grad():
        assert saved_bytes(lambda: layer(x)) == 0
        with LiveBytes() as live:
            layer(x)
    assert live.peak == 4 * 5 * 1000  # the output and the last membrane
    assert {kernel.name for kernel, _ in on_host.launched} == {"lif_forward"}


@pytest.mark.parametrize("wrap", [lambda node: node, Gate], ids=["neuron", "gate"])
def test_only_the_input_is_kept_for_the_backward(on_host: OnHost, wrap: Any) -> None:
    layer, x = wrap(LIF(backend="cupy")), currents(4, 1000, dtype=F32).requires_grad_()
    assert saved_bytes(lambda: layer(x)) == x.nbytes


def test_an_empty_batch_gives_an_empty_batch(on_host: OnHost) -> None:
    for node in (LIF(backend="cupy"), PLIF(backend="cupy"), Gate(LIF(backend="cupy"))):
        x = torch.zeros(4, 0, 3, requires_grad=True)
        y = node(x)
        y.sum().backward()
        assert y.shape == x.shape == x.grad.shape  # type: ignore[union-attr]
        assert all(p.grad == 0 for p in node.parameters())
    assert on_host.launched == []


def test_a_gradient_of_the_membrane_alone_passes(on_host: OnHost) -> None:
    grads = []
    for node in pair("lif", "soft", True, "triangle", "cupy"):
        x = currents(4, 3, 8, dtype=F32).requires_grad_()
        node(x)
        grads.append(torch.autograd.grad(node.v.square().sum(), x)[0])
    assert distance(*grads) < ROUNDED


def test_the_membrane_and_its_gradient_go_on_from_call_to_call(on_host: OnHost) -> None:
    x = currents(6, 3, 8, dtype=F32).requires_grad_()
    node = LIF(backend="cupy", detach_reset=False, surrogate_function=SURROGATES["atan"])
    whole = node(x)
    node.reset()
    parts = torch.cat([node(x[:2]), node(x[2:])])
    assert torch.equal(whole, parts)
    up = currents(6, 3, 8, dtype=F32, seed=4)
    assert torch.equal(torch.autograd.grad(whole, x, up)[0], torch.autograd.grad(parts, x, up)[0])


@pytest.mark.parametrize("kind", ["lif", "plif", "gate"])
def test_gradients_can_be_differentiated_again(on_host: OnHost, kind: str) -> None:
    constants = (1.8, True, 0.9, 0.0, SURROGATES["atan"], False, "m")
    ours, theirs = (
        (PLIF(*constants, backend="cupy"), neuron.ParametricLIFNode(*constants))
        if kind == "plif"
        else (LIF(*constants, backend="cupy"), neuron.LIFNode(*constants))
    )
    found = []
    for layer in (Gate(ours) if kind == "gate" else ours, (lambda x: x * theirs(x)) if kind == "gate" else theirs):
        x = currents(4, 2, 8, dtype=F32).requires_grad_()
        (grad,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(grad.square().sum(), x)[0])
    assert distance(*found) < 1e-6  # a derivative more: sums of larger terms


def test_nan_and_infinity_are_not_hidden(on_host: OnHost) -> None:
    x = currents(3, 2, dtype=F32)
    x[0, 0], x[2, 1] = float("nan"), -float("inf")
    node = LIF(backend="cupy")
    node(x)
    assert node.v[0].isnan()
    assert node.v[1] == -float("inf")
    y = Gate(LIF(backend="cupy"))(x)
    assert y[:, 0].isnan().tolist() == [True, False, False]
    assert y[2, 1].isnan()  # 0 times infinity, as the plain product


@pytest.mark.parametrize("wrap", [lambda node: node, Gate], ids=["neuron", "gate"])
@pytest.mark.parametrize("kind", [LIF, PLIF])
def test_a_compiled_network_keeps_the_operator_in_one_graph(on_host: OnHost, kind: Any, wrap: Any) -> None:
    node = kind(backend="cupy", surrogate_function=SURROGATES["atan"])
    layer = wrap(node)

    def work(x: Tensor) -> Tensor:
        return layer(2 * x).cumsum(0)

    compiled = torch.compile(work, backend="aot_eager", fullgraph=True)
    for length in (4, 4):
        x = currents(length, 3, 8, dtype=F32).requires_grad_()
        found = []
        for f in (work, compiled):
            node.reset()
            y = f(x)
            found.append((y.detach(), node.v.detach(), *torch.autograd.grad(y, [x, *node.parameters()], y.detach())))
        assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert len(on_host.launched) == 8
