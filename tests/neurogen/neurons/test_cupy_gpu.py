"""Our CUDA kernels on a GPU: against plain steps in float64, on other streams and devices, captured and compiled."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import surrogate
from torch import Tensor

from neurogen.neurons import IF, LIF, PLIF, Gate, Rect, backend, cupy, launch
from tests.neurogen.neurons.peer import DYNAMICS, RESETS, SURROGATES, currents

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("default")]

GPU = torch.device("cuda")
F32 = torch.float32
NEAR = 2e-5  # closer than this to the threshold, float32 may round to the other side
CLOSE = {F32: 3e-5, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}  # of gradients: the last two are two last places
SHAPE = (4, 3, 7, 100)  # more than one block of threads, the last not full
Node = IF | LIF | PLIF
VARIANTS = list(itertools.product(DYNAMICS, RESETS, (True, False)))


@pytest.fixture(autouse=True)
def _needs_cupy() -> None:
    if cupy.missing() is not None:
        pytest.skip(f"backend cupy cannot run: {cupy.missing()}")


def make(dynamics: str = "lif", reset: str = "to 0", detach: bool = True, function: str = "atan") -> Node:
    leak = DYNAMICS[dynamics]
    common = {"v_threshold": 0.9, "v_reset": RESETS[reset], "surrogate_function": SURROGATES[function]}
    kind: Any = IF if leak is None else LIF
    return kind(backend="cupy", detach_reset=detach, **common, **(leak or {})).to(GPU)


def on_gpu(*shape: int, dtype: torch.dtype = F32, seed: int = 0) -> Tensor:
    return currents(*shape, dtype=dtype, seed=seed).to(GPU)


def plain(node: Node, gate: bool, x: Tensor, v: Tensor, w: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Output, last membrane, and how near each neuron ever came to where rounding decides; one step after another."""
    rest, function = node.v_reset or 0.0, node.surrogate_function
    nearest, out = torch.full_like(v, math.inf), []
    share = torch.sigmoid(w) if w is not None else 1.0 / node.tau if isinstance(node, LIF) else None
    for current in x:
        if share is None:
            h = v + current
        elif node.decay_input:
            h = v + (current - (v - rest)) * share
        else:
            h = v - (v - rest) * share + current
        u = h - node.v_threshold
        nearest = torch.minimum(nearest, u.abs())
        if isinstance(function, Rect | surrogate.Rect):  # its edges decide as well
            ours = isinstance(function, Rect)
            centre, half = (function.offset, function.width / 2) if ours else (0.0, 0.5 / function.alpha)
            nearest = torch.minimum(nearest, ((u - centre).abs() - half).abs())
        s = function(u)
        out.append(current * s if gate else s)
        r = s.detach() if node.detach_reset else s
        v = h - r * node.v_threshold if node.v_reset is None else (1.0 - r) * h + r * node.v_reset
    return torch.stack(out), v, nearest.detach()


def check(node: Node, gate: bool, x: Tensor) -> None:
    """Outputs, membrane and gradients against float64, of all neurons but those too near to call."""
    v0 = on_gpu(*x.shape[1:], seed=3) / 3
    weights = [on_gpu(*x.shape, dtype=x.dtype, seed=5), on_gpu(*x.shape[1:], seed=6)]
    learned = list(node.parameters())
    exact = [t.detach().double().requires_grad_() for t in (x, v0, *learned)]
    y_, v_, nearest = plain(node, gate, exact[0], exact[1], exact[2] if learned else None)
    clear = nearest > NEAR
    assert clear.double().mean() > 0.98
    up = [w * clear for w in weights]
    grads_ = torch.autograd.grad((y_, v_), exact, [w.double() for w in up])

    x, v0 = x.detach().requires_grad_(), v0.requires_grad_()
    node.reset()
    node.v = v0
    y = (Gate(node) if gate else node)(x)
    assert y.dtype == x.dtype
    assert node.v.dtype == F32
    grads = torch.autograd.grad((y, node.v), (x, v0, *learned), up)
    assert torch.equal(y.double() * clear, y_.to(x.dtype).double() * clear)
    assert ((node.v - v_) * clear).abs().max() < 1e-5
    for ours, theirs in zip(grads, grads_, strict=True):
        size = theirs.norm() if theirs.ndim else theirs.abs() + x.numel() ** 0.5
        assert (ours.double() - theirs).norm() < CLOSE[ours.dtype] * size


@pytest.mark.parametrize("number", range(len(VARIANTS)))
def test_every_variant_equals_plain_steps_in_float64(number: int) -> None:
    dynamics, reset, detach = VARIANTS[number]
    function = list(SURROGATES)[number % len(SURROGATES)]  # each three times, as a neuron and as a gate
    gate = (number + number // len(SURROGATES)) % 2 == 1
    check(make(dynamics, reset, detach, function), gate, on_gpu(*SHAPE))


@pytest.mark.parametrize("gate", [False, True], ids=["neuron", "gate"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bits_equal_plain_steps_in_float64(dtype: torch.dtype, gate: bool) -> None:
    check(make("lif, odd tau", "to -0.2"), gate, on_gpu(4, 3, 8, 100, dtype=dtype))


@pytest.mark.parametrize(("dtype", "shape"), [(F32, (4, 1237)), (F32, (4, 618)), (torch.bfloat16, (4, 1237))])
def test_odd_sizes_equal_plain_steps_in_float64(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    check(make(), False, on_gpu(*shape, dtype=dtype))


@pytest.mark.parametrize("steps", [1, 8, 16, 37])
@pytest.mark.parametrize("gate", [False, True], ids=["neuron", "gate"])
def test_any_number_of_steps_equals_plain_steps_in_float64(steps: int, gate: bool) -> None:
    check(make(detach=False), gate, on_gpu(steps, *SHAPE[1:]))


@pytest.mark.parametrize(("decay_input", "gate", "steps"), [(True, False, 4), (False, True, 4), (True, True, 20)])
def test_a_learned_time_constant_equals_plain_steps_in_float64(decay_input: bool, gate: bool, steps: int) -> None:
    node = PLIF(1.8, decay_input, 0.9, -0.2, SURROGATES["atan"], False, backend="cupy").to(GPU)
    check(node, gate, on_gpu(steps, 3, 50, 100))


def test_a_learned_time_constants_gradient_is_the_same_every_time() -> None:
    node, x, found = PLIF(backend="cupy").to(GPU), on_gpu(4, 300, 1000), []
    for _ in range(3):
        node.reset()
        found.append(torch.autograd.grad(node(x).mul(x).sum(), node.w)[0].item())
    assert found[0] == found[1] == found[2] != 0


def layouts(x: Tensor) -> dict[str, Tensor]:
    last = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (len(x), -1))
    return {"channels last": last, "apart": torch.stack([x, x], 1)[:, 0], "expanded": last[:1].expand(x.shape)}


@pytest.mark.parametrize("layout", ["channels last", "apart", "expanded"])
def test_memory_layouts_change_no_bit(layout: str) -> None:
    x = layouts(on_gpu(4, 3, 8, 5, 5))[layout]
    up = layouts(on_gpu(4, 3, 8, 5, 5, seed=4))[layout]
    found = []
    for given in (x, x.contiguous()):
        given = given.detach().requires_grad_()
        y = Gate(make())(given)
        found.append((y.detach(), torch.autograd.grad(y, given, up)[0]))
        assert y.shape == x.shape
    assert found[0][0].stride()[1:] == x.stride()[1:]
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def both_ways(layer: Callable[[Tensor], Tensor], node: Node, x: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """Output and gradient of x, from rest."""
    node.reset()
    given = x.detach().requires_grad_()
    y = layer(given)
    return y.detach(), torch.autograd.grad(y, given, up)[0]


def test_a_side_stream_is_waited_for() -> None:
    node, source, up = make(), on_gpu(*SHAPE), on_gpu(*SHAPE, seed=4)
    expected = both_ways(node, node, source, up)
    x, side = torch.zeros_like(source), torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(side):
        torch.cuda._sleep(100_000_000)  # cycles: a kernel on another stream would read zeros
        x.copy_(source)
        found = both_ways(node, node, x, up)
    side.synchronize()
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("kind", ["lif", "plif", "gate"])
def test_a_captured_graph_replays_forwards_and_backwards(kind: str) -> None:
    node = PLIF(backend="cupy").to(GPU) if kind == "plif" else make()
    layer = Gate(node) if kind == "gate" else node
    x, up = torch.zeros(SHAPE, device=GPU), on_gpu(*SHAPE, seed=4)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        both_ways(layer, node, x, up)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = both_ways(layer, node, x, up)
    for seed in (7, 8):
        source = on_gpu(*SHAPE, seed=seed)
        x.copy_(source)
        graph.replay()
        torch.cuda.synchronize()
        found = [t.clone() for t in captured]
        assert all(torch.equal(a, b) for a, b in zip(found, both_ways(layer, node, source, up), strict=True))


@pytest.mark.parametrize("compiler", ["aot_eager", "inductor"])
def test_a_compiled_network_keeps_the_operator_in_one_graph(monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    node = make()
    gate = Gate(node)
    launched: list[str] = []
    run = launch.run
    monkeypatch.setattr(launch, "run", lambda kernel, *rest: (launched.append(kernel.name), run(kernel, *rest))[1])
    work: Any = lambda x: gate(2 * x).square()  # noqa: E731
    compiled = torch.compile(work, backend=compiler, fullgraph=True)
    x, up = on_gpu(*SHAPE), on_gpu(*SHAPE, seed=4)
    found = both_ways(compiled, node, x, up)
    assert launched == ["lif_forward", "lif_backward"]
    assert all(torch.allclose(a, b, rtol=1e-6) for a, b in zip(found, both_ways(work, node, x, up), strict=True))


@pytest.mark.parametrize("wrap", [lambda node: node, Gate], ids=["neuron", "gate"])
def test_without_gradient_only_the_output_and_the_membrane_are_made(wrap: Any) -> None:
    layer, x = wrap(make()), on_gpu(4, 1 << 20).requires_grad_()
    with torch.no_grad():
        assert most_bytes(lambda: layer(x)) == 5 << 22


def test_in_training_nothing_but_gradients_is_made_beside_them() -> None:
    node, x, up = make(), on_gpu(4, 1 << 20), on_gpu(4, 1 << 20)
    assert most_bytes(lambda: both_ways(node, node, x, up)) <= (4 + 1 + 4) << 22


def most_bytes(work: Callable[[], object]) -> int:
    """Bytes held at the height of work(), beside what was held before."""
    work()  # compiles, and leaves what is kept from call to call (a membrane)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    work()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def test_more_elements_than_32_bits_count() -> None:
    count = (1 << 30) + 64
    if torch.cuda.mem_get_info()[0] < 40 << 30:
        pytest.skip("needs 40 GiB of free GPU memory")
    x = torch.zeros(2, count, dtype=torch.bfloat16, device=GPU)
    x[:, -3:] = torch.tensor([[1.0, 2.0, 4.0], [2.0, 0.5, 4.0]], device=GPU)
    x.requires_grad_()
    node = LIF(backend="cupy")  # threshold 1, tau 2, reset to 0, triangle
    spikes = node(x)
    assert spikes[:, -3:].tolist() == [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]
    assert spikes[:, :-3].count_nonzero() == 0
    assert node.v[-3:].tolist() == [0.0, 0.25, 0.0]
    (grad,) = torch.autograd.grad(spikes, x, torch.ones_like(x[0]).expand(x.shape))
    assert grad[:, :4].tolist() == [[0.0] * 4] * 2  # the triangle is 0 a whole threshold away
    assert grad[1, -3:].tolist() == [0.375, 0.125, 0.0]  # (1 - |h - 1|) / 2 of h = 1.25, 0.25 and 2


def test_the_current_device_need_not_be_the_tensors() -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    other = torch.device("cuda:1")
    x, up = on_gpu(*SHAPE), on_gpu(*SHAPE, seed=4)
    expected = both_ways(node := make(), node, x, up)
    found = both_ways(node := make().to(other), node, x.to(other), up.to(other))
    assert torch.cuda.current_device() == 0
    assert all(torch.equal(a, b.cpu()) for a, b in zip([t.cpu() for t in expected], found, strict=True))


def test_a_convolution_in_16_bits_feeds_it() -> None:
    convolution, node = torch.nn.Conv2d(2, 8, 3).to(GPU), make()
    with torch.autocast("cuda", torch.bfloat16):
        spikes = node(convolution(on_gpu(8, 2, 9, 9)).unflatten(0, (4, 2)))
    spikes.sum().backward()
    assert spikes.dtype == torch.bfloat16
    assert node.v.dtype == F32
    assert convolution.weight.grad is not None and convolution.weight.grad.abs().sum() > 0


def test_gradients_can_be_differentiated_again() -> None:
    def second(node: Node, x: Tensor) -> Tensor:
        x = x.requires_grad_()
        (grad,) = torch.autograd.grad(node(x).square().sum(), x, create_graph=True)
        return torch.autograd.grad(grad.square().sum(), x)[0]

    ours, theirs = make(detach=False), make(detach=False)
    theirs.backend = "spikingjelly"
    exact = second(theirs, on_gpu(4, 2, 8).double())
    assert (second(ours, on_gpu(4, 2, 8)).double() - exact).norm() < 1e-4 * exact.norm()


def test_auto_takes_the_kernels_and_says_so_once(capfd: pytest.CaptureFixture[str]) -> None:
    backend._said.clear()
    node, x = LIF().to(GPU), on_gpu(4, 3, 8)
    node(x)
    node.reset()
    node(x)
    assert capfd.readouterr().err.splitlines() == ["neurons on cuda: CuPy kernels"]
    assert backend.choose_backend("auto", node, x) is cupy
    assert backend.choose_backend("auto", PLIF().to(GPU), x.bfloat16()) is cupy
    assert backend.choose_backend("auto", node, x.double()) is None
