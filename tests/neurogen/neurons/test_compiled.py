"""The compiled recurrence: its mathematics uncompiled, the choice of it, and, slowly, the compiled code itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from neurogen.neurons import IF, LIF, PLIF, Gate, compile_neurons, compiled, cpu
from neurogen.neurons.backend import choose_backend
from tests.neurogen.neurons.peer import DYNAMICS, RESETS, SURROGATES, currents, pair, run
from tests.neurogen.neurons.test_against_spikingjelly import EXACT, ROUNDED, check, distance


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The functions that would be compiled run as they are."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    compiled._functions.cache_clear()
    monkeypatch.setattr(compiled, "missing", lambda: None)
    yield
    compiled._functions.cache_clear()


def gate_run(gate: Gate, x: Tensor) -> tuple[Tensor, Tensor]:
    gate.neuron.reset()
    x = x.clone().requires_grad_()
    y = gate(x)
    (y.square().sum() + gate.neuron.v.sum()).backward()
    return y.detach(), x.grad


@pytest.mark.parametrize("function", SURROGATES)
@pytest.mark.parametrize("detach", [True, False], ids=["detached", "through the reset"])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("dynamics", DYNAMICS)
def test_its_mathematics_are_spikingjellys(plain: None, dynamics: str, reset: str, detach: bool, function: str) -> None:
    ours, theirs = pair(dynamics, reset, detach, function)
    compile_neurons(ours)
    for dtype, tolerance in ((torch.float64, EXACT), (torch.float32, ROUNDED)):
        x, v0 = currents(5, 2, 3, 5, dtype=dtype), currents(2, 3, 5, dtype=dtype, seed=3) / 3
        assert choose_backend("auto", ours, x) is compiled
        check(run(ours, x, v0), run(theirs, x, v0), tolerance)


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("detach", [True, False])
def test_its_gate_is_that_of_the_plain_backend(plain: None, reset: str, detach: bool) -> None:
    gates = [Gate(pair("lif, odd tau", reset, detach, "atan")[0]) for _ in range(2)]
    compile_neurons(gates[0])
    for x in (currents(4, 3, 5), currents(4, 3, 6).transpose(1, 2), currents(1, 3, 5).expand(4, 3, 5)):
        (y, grad), (y_plain, grad_plain) = (gate_run(gate, x) for gate in gates)
        assert torch.equal(y, y_plain)
        assert distance(grad, grad_plain) < EXACT


def test_gradients_of_gradients_are_right(plain: None) -> None:
    node = LIF(tau=2.0)
    compile_neurons(node)
    for layer in (node, Gate(node)):

        def through(x: Tensor, layer: torch.nn.Module = layer) -> Tensor:
            node.reset()
            return layer(x)

        x = (currents(3, 4) / 3).requires_grad_()
        (first,) = torch.autograd.grad(through(x).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        node.compiled = False
        (wanted_first,) = torch.autograd.grad(through(x).sum(), x, create_graph=True)
        (wanted,) = torch.autograd.grad(wanted_first.square().sum(), x)
        node.compiled = True
        assert torch.allclose(first, wanted_first) and torch.allclose(second, wanted)
        assert float(second.abs().max()) > 0


def test_16_bits_keep_a_float32_membrane_and_the_layout(plain: None) -> None:
    node = LIF(tau=2.0)
    compile_neurons(node)
    x = currents(4, 2, 3, 5, 5, dtype=torch.bfloat16).flatten(0, 1).contiguous(memory_format=torch.channels_last)
    spikes = node(x.unflatten(0, (4, 2)))
    assert spikes.dtype == torch.bfloat16 and node.v.dtype == torch.float32
    assert spikes.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_only_those_asked_for_and_able_run_compiled(plain: None) -> None:
    x = currents(2, 3)
    lif, plif, stock = LIF(), PLIF(), LIF(backend="spikingjelly")
    assert choose_backend("auto", lif, x) is cpu
    module = torch.nn.ModuleList([lif, plif, stock, IF()])
    compile_neurons(module)
    assert choose_backend("auto", lif, x) is choose_backend("torch", lif, x) is compiled
    assert choose_backend("auto", plif, x) is not compiled  # its time constant is learned
    assert choose_backend("spikingjelly", stock, x) is None


def test_without_a_compiler_it_says_so_and_runs_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(function: object, **_: object) -> object:
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(torch, "compile", broken)
    compiled.missing.cache_clear()
    node = LIF()
    compile_neurons(node)
    with pytest.warns(UserWarning, match=r"neurons run uncompiled \(No working C\+\+ compiler found\)"):
        assert choose_backend("auto", node, currents(2, 3)) is cpu
    assert choose_backend("auto", node, currents(2, 3)) is cpu  # and says it once
    compiled.missing.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("dynamics", ["if", "lif", "lif, odd tau, whole input"])
@pytest.mark.parametrize("reset", ["soft", "to -0.2"])
def test_compiled_code_makes_spikingjellys_spikes(dynamics: str, reset: str) -> None:
    ours, theirs = pair(dynamics, reset, False, "triangle")
    compile_neurons(ours)
    for size in (3001, 17):  # with and without what vectors leave over
        x, v0 = currents(4, size, dtype=torch.float32), currents(size, dtype=torch.float32, seed=3) / 3
        check(run(ours, x, v0), run(theirs, x, v0), ROUNDED)


@pytest.mark.slow
def test_a_compiled_gate_is_the_plain_one() -> None:
    gates = [Gate(LIF(tau=2.0)) for _ in range(2)]
    compile_neurons(gates[0])
    x = currents(4, 8, 4096, dtype=torch.float32)
    (y, grad), (y_plain, grad_plain) = (gate_run(gate, x) for gate in gates)
    assert torch.equal(y, y_plain)
    assert distance(grad, grad_plain) < ROUNDED
    gates[0].neuron.reset()
    with torch.inference_mode():
        assert torch.equal(gates[0](x), y)


@pytest.mark.slow
def test_a_machine_without_a_compiler_runs_uncompiled(tmp_path: Path) -> None:
    code = """
import warnings, torch
from neurogen.neurons import LIF, compile_neurons
node = LIF()
compile_neurons(node)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    print(float(node(torch.ones(3, 4)).sum()))
print([str(w.message)[:60] for w in said if "neurons.compile" in str(w.message)])
"""
    environment = os.environ | {"CXX": str(tmp_path / "absent"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    spikes, said = found.stdout.splitlines()
    assert spikes == "0.0" and "neurons.compile=true needs a C++ compiler" in said
