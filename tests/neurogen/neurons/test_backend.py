"""Which backend runs a neuron, and what is said when one cannot."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from spikingjelly.activation_based import surrogate

from neurogen.neurons import IF, LIF, PLIF, cpu
from neurogen.neurons.backend import choose_backend, why_not

X = torch.zeros(2, 3)


@pytest.mark.parametrize("node", [LIF(), IF(), LIF(v_reset=None), LIF(detach_reset=False)])
def test_auto_takes_the_fused_backend_on_the_cpu(node: Any) -> None:
    assert choose_backend("auto", node, X) is cpu
    assert why_not("torch", node, X) is None


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (PLIF(), "its time constant is learned"),
        (LIF(surrogate_function=surrogate.S2NN()), "it does not know the surrogate S2NN"),
    ],
)
def test_auto_falls_back_to_spikingjelly_and_torch_by_name_says_why_not(node: Any, reason: str) -> None:
    assert choose_backend("auto", node, X) is None
    assert why_not("torch", node, X) == reason
    node.backend = "torch"
    with pytest.raises(ValueError, match=rf"^backend torch cannot run this \w+: {reason}; use backend=auto$"):
        node(X)


def test_auto_leaves_other_devices_to_spikingjelly() -> None:
    x = torch.zeros(2, 3, device="meta")
    assert choose_backend("auto", LIF(), x) is None
    assert why_not("torch", LIF(), x) == "it is for cpu"


def test_integers_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"cannot run this LIF: it does not know torch\.int64"):
        LIF(backend="torch")(X.long())


def test_spikingjelly_by_name_is_spikingjelly() -> None:
    assert choose_backend("spikingjelly", LIF(), X) is None


def test_an_unknown_backend_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=r"expected backend to be one of auto, torch, .*spikingjelly, got 'cuda'"):
        LIF(backend="cuda")(X)


def test_a_stored_trajectory_comes_from_spikingjelly() -> None:
    assert choose_backend("torch", LIF(store_v_seq=True), X) is None


@pytest.mark.parametrize("backend", ["cupy", "braincog"])
def test_what_is_asked_for_by_name_has_no_silent_stand_in_where_every_membrane_is_wanted(backend: str) -> None:
    with pytest.raises(ValueError, match=rf"backend {backend} cannot run this LIF: it keeps the last membrane alone"):
        choose_backend(backend, LIF(store_v_seq=True, backend=backend), X)


@pytest.mark.parametrize("backend", ["cupy", "braincog"])
@pytest.mark.parametrize("kind", [LIF, IF, PLIF])
def test_what_is_asked_for_by_name_has_no_silent_stand_in_for_single_steps(kind: Any, backend: str) -> None:
    node = kind(step_mode="s", backend=backend)
    with pytest.raises(ValueError, match=rf"backend {backend} cannot run this {kind.__name__}: it takes all steps at"):
        node(X)


def test_braincog_has_no_silent_stand_in_under_torch_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    with pytest.raises(ValueError, match=r"backend braincog cannot run this LIF: torch\.compile is at work"):
        choose_backend("braincog", LIF(), X)
