"""What backend cupy says where it cannot run, and what `auto` says of itself."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import functional, surrogate

from neurogen.neurons import LIF, PLIF, backend, cupy

X = torch.zeros(2, 3)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """torch says that it is built for CUDA 13.0 and has a GPU; whether CuPy is there is up to the test."""
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(cupy, "missing", cupy._missing.__wrapped__)
    return monkeypatch


def fake_cupy(monkeypatch: pytest.MonkeyPatch, built: int) -> None:
    module = types.ModuleType("cupy")
    runtime = types.SimpleNamespace(runtimeGetVersion=lambda: built)
    module.cuda = types.SimpleNamespace(runtime=runtime)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(cupy, "find_spec", lambda name: object())


def said(node: Any = None, x: torch.Tensor = X) -> str:
    with pytest.raises(ValueError) as error:
        (node or LIF(backend="cupy"))(x)
    return str(error.value)


def test_without_a_gpu_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(cupy, "missing", cupy._missing.__wrapped__)
    assert said() == ("backend cupy cannot run this LIF: it needs an NVIDIA GPU and torch finds none; use backend=auto")


def test_a_torch_without_cuda_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(cupy, "missing", cupy._missing.__wrapped__)
    assert ": this torch is built without CUDA; use" in said()


@pytest.mark.parametrize(("cuda", "package"), [("13.0", "cupy-cuda13x"), ("12.6", "cupy-cuda12x")])
def test_without_cupy_the_line_that_installs_it_is_for_torchs_cuda(
    gpu: pytest.MonkeyPatch, cuda: str, package: str
) -> None:
    gpu.setattr(torch.version, "cuda", cuda)
    gpu.setattr(cupy, "find_spec", lambda name: None)
    assert said() == (
        f'backend cupy cannot run this LIF: CuPy is not installed (pip install "{package}[ctk]"); use backend=auto'
    )


def test_a_cupy_of_another_cuda_is_named(gpu: pytest.MonkeyPatch) -> None:
    fake_cupy(gpu, 12090)
    assert cupy.missing() == (
        'CuPy is for CUDA 12 and torch for CUDA 13.0 (pip uninstall cupy-cuda12x; pip install "cupy-cuda13x[ctk]")'
    )


def test_a_cupy_that_does_not_load_is_named(gpu: pytest.MonkeyPatch) -> None:
    gpu.setattr(cupy, "find_spec", lambda name: object())
    gpu.setitem(sys.modules, "cupy", None)
    found = cupy.missing()
    assert found is not None and found.startswith("CuPy does not load (") and "pip install" in found


def test_where_all_is_there_the_input_decides(gpu: pytest.MonkeyPatch) -> None:
    fake_cupy(gpu, 13000)
    assert cupy.missing() is None
    assert ": it is for cuda and the input is on cpu; use" in said()
    gpu.setattr(cupy, "DEVICES", ("cpu",))
    assert ": it does not know torch.float64; use" in said(x=X.double())
    assert ": it does not know the surrogate S2NN; use" in said(
        LIF(surrogate_function=surrogate.S2NN(), backend="cupy")
    )
    for node in (LIF(), PLIF(), LIF(v_reset=None)):
        assert backend.why_not("cupy", node, X) is None


def meet(x: torch.Tensor) -> Any:
    return backend.choose_backend("auto", LIF(), x)


@pytest.mark.parametrize("lacks", [None, "CuPy is not installed (pip install it)"])
def test_auto_says_once_what_cuda_tensors_meet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lacks: str | None
) -> None:
    monkeypatch.setattr(cupy, "missing", lambda: lacks)
    monkeypatch.setattr(functional, "neuron_implementation", lambda *a, **k: {"implementation": "triton"})
    monkeypatch.setattr(backend, "_said", set())
    x: Any = types.SimpleNamespace(device=torch.device("cuda:1"), dtype=torch.float32)
    assert backend.choose_backend("spikingjelly", LIF(), x) is None
    assert (meet(x), meet(x)) == ((None, None) if lacks else (cupy, cupy))
    expected = f"SpikingJelly's triton operators; for ours: {lacks}" if lacks else "CuPy kernels"
    assert capsys.readouterr().err == f"neurons on cuda: {expected}\n"


def test_auto_says_nothing_of_the_cpu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(backend, "_said", set())
    meet(X)
    assert capsys.readouterr().err == ""
