"""The backend of BrainCog's nodes, and networks of them turned into ours and back.

On rewrites of its nodes here; `test_braincog_itself_agrees` runs the real ones in an interpreter that has BrainCog.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import functional, surrogate
from torch import Tensor, nn

from neurogen.config import parse_config
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.neurons import IF, LIF, PLIF, Gate, Rect, braincog
from neurogen.neurons.backend import choose_backend, why_not
from neurogen.neurons.braincog import from_braincog, to_braincog
from tests.neurogen.neurons import theirs
from tests.neurogen.tiny import image_config

PYTHON = os.environ.get("NEUROGEN_BRAINCOG_PYTHON", "")
SCRIPT = Path(__file__).with_name("braincog_agreement.py")
X = torch.randn(6, 3, 40, generator=torch.Generator().manual_seed(0)) * 1.5 + 0.3


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """BrainCog is there, as rewritten."""
    monkeypatch.setattr(braincog, "missing", lambda: None)
    monkeypatch.setattr(braincog, "_imported", lambda: (theirs, theirs))
    yield


def results(make: Callable[[str], Any], backend: str, x: Tensor) -> list[Tensor]:
    layer, x = make(backend), x.clone().requires_grad_()
    first = torch.linspace(-0.4, 0.4, x[0].numel()).reshape(x[0].shape).to(x).requires_grad_()
    neuron = layer.neuron if isinstance(layer, Gate) else layer
    neuron.v = first
    out = layer(x)
    upper = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out)
    ((out * upper).sum() + (neuron.v * upper[0]).sum()).backward()
    return [out.detach(), neuron.v.detach(), x.grad, first.grad, *(p.grad for p in layer.parameters())]


KINDS: dict[str, Callable[[str], Any]] = {
    "LIF": lambda b: LIF(v_threshold=0.5, backend=b),
    "LIF tau 3": lambda b: LIF(3.0, surrogate_function=surrogate.ATan(1.5), backend=b),
    "LIF whole input": lambda b: LIF(4.0, decay_input=False, surrogate_function=surrogate.Sigmoid(3.0), backend=b),
    "IF": lambda b: IF(surrogate_function=Rect(1.0), backend=b),
    "IF with SpikingJelly's box": lambda b: IF(surrogate_function=surrogate.Rect(1.0), backend=b),
    "PLIF": lambda b: PLIF(backend=b),
    "PLIF whole input": lambda b: PLIF(decay_input=False, backend=b),
    "gate": lambda b: Gate(LIF(v_threshold=0.5, backend=b)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("installed")
def test_neurons_spike_and_learn_there_as_here(kind: str) -> None:
    ours, there = (results(KINDS[kind], backend, X) for backend in ("spikingjelly", "braincog"))
    assert torch.equal(ours[0], there[0]) and 0.03 < float((ours[0] != 0).float().mean()) < 0.6
    for a, b in zip(ours[1:], there[1:], strict=True):
        torch.testing.assert_close(b, a, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.usefixtures("installed")
def test_spikes_come_in_the_dtype_of_the_input_though_theirs_are_float32(dtype: torch.dtype) -> None:
    layer = LIF(v_threshold=0.3, backend="braincog")
    assert layer(X.to(dtype)).dtype == dtype
    assert layer.v.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    close = torch.full((1, 1), 0.6 + 1e-9, dtype=torch.float64)  # float32 takes its half for the threshold
    layer.reset()
    assert float(layer(close[None])) == 1.0


@pytest.mark.usefixtures("installed")
def test_at_the_threshold_we_fire_and_they_do_not_but_with_their_sigmoid() -> None:
    x = torch.ones(1, 1, 5)  # h = 1 / 2
    fired = [float(LIF(v_threshold=0.5, backend=b)(x).sum()) for b in ("torch", "braincog")]
    assert fired == [5.0, 0.0]
    assert float(LIF(v_threshold=0.5, surrogate_function=surrogate.Sigmoid(), backend="braincog")(x).sum()) == 5.0


def test_auto_never_takes_it_and_its_absence_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not("braincog", LIF(), X) == "it is a slow reference, taken only by name"
    monkeypatch.setattr(braincog, "missing", lambda: None)
    assert choose_backend("auto", LIF(), X) is not braincog
    monkeypatch.undo()
    monkeypatch.setattr(braincog, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=r"this LIF: BrainCog is not installed \(pip install braincog\); use backend=auto"
    ):
        LIF(backend="braincog")(X)
    with pytest.raises(ValueError, match=r"BrainCog is not installed \(pip install braincog\)$"):
        to_braincog(LIF())


def test_a_broken_installation_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(braincog, "find_spec", SimpleNamespace)
    monkeypatch.setattr(braincog, "missing", lambda: None)
    monkeypatch.setattr(braincog, "HOME", "no_such_package.node")
    with pytest.raises(ValueError, match=r"BrainCog does not import here \(No module named 'no_such_package'\)"):
        braincog._imported.__wrapped__()


@pytest.mark.parametrize(
    ("neuron", "reason"),
    [
        (LIF(v_reset=None), "no soft reset"),
        (LIF(v_reset=-0.5), "reset to 0, not to -0.5"),
        (LIF(detach_reset=False), "detach the reset"),
        (LIF(surrogate_function=surrogate.Erf()), "no surrogate like Erf"),
        (LIF(surrogate_function=Rect(1.0, -0.2)), r"no surrogate like Rect\(width=1.0, offset=-0.2"),
        (LIF(surrogate_function=surrogate.Rect(2.0)), "no surrogate like Rect"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_neurons_that_they_have_no_equal_of_are_refused(neuron: Any, reason: str) -> None:
    neuron.backend = "braincog"
    with pytest.raises(ValueError, match=reason):
        neuron(X)
    with pytest.raises(ValueError, match=f"^1 cannot become a node of BrainCog's: .*{reason}"):
        to_braincog(nn.Sequential(nn.Identity(), neuron))


class Net(nn.Module):
    """A network of theirs on a grid of values where membranes often meet the threshold; (T, N, 12) -> (T, N, 12)."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        kinds = (theirs.IFNode, theirs.LIFNode, theirs.PLIFNode)
        parts = [(on_the_grid(), kind(0.5, step=steps or 8, layer_by_layer=steps > 0)) for kind in kinds]
        self.body = nn.Sequential(*(part for pair in parts for part in pair))
        self.last = self.body[5]  # once more, under another name

    def forward(self, x: Tensor) -> Tensor:
        for part in self.modules():
            if hasattr(part, "n_reset"):
                part.n_reset()
        if self.steps:
            return self.body(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return torch.stack([self.body(step) for step in x])


def on_the_grid() -> nn.Linear:
    layer = nn.Linear(12, 12, bias=False)
    layer.weight.data = torch.randint(-2, 4, (12, 12)).float() / 4
    return layer


@pytest.mark.parametrize("steps", [0, 7])
@pytest.mark.usefixtures("installed")
def test_a_network_turned_into_ours_and_back_spikes_the_same_even_at_ties(steps: int) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, 3, (7, 4, 12)).float()
    net = Net(steps)
    ours = from_braincog(net)
    back = to_braincog(ours)
    assert [type(ours.body[i].neuron) for i in (1, 3, 5)] == [IF, LIF, PLIF]
    assert [type(back.body[i]) for i in (1, 3, 5)] == [theirs.IFNode, theirs.LIFNode, theirs.PLIFNode]
    assert [float(back.body[i].threshold) for i in (1, 3, 5)] == [0.5] * 3
    assert ours.last is ours.body[5]
    meets: list[Tensor] = []  # a membrane that is the threshold after the step has not fired
    net.body[1].register_forward_hook(lambda node, _in, _out: meets.append((node.mem == 0.5).any()))
    outs, gradients = [], []
    for network in (net, ours, back):
        net.zero_grad()
        outs.append(network(x))
        (outs[-1] * torch.arange(12.0)).sum().backward()
        gradients.append([p.grad.clone() for p in (net.body[0].weight, net.body[4].weight, net.body[5].w)])
    assert any(meets) and 0.05 < float(outs[0].detach().mean()) < 0.9
    for out, found in zip(outs[1:], gradients[1:], strict=True):
        assert torch.equal(out, outs[0])
        for a, b in zip(found, gradients[0], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * float(b.abs().max()))


@pytest.mark.usefixtures("installed")
def test_weights_and_statistics_are_shared_and_the_network_stays_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), theirs.PLIFNode())
    ours = from_braincog(net.eval(), backend="spikingjelly")
    assert ours[0].weight is net[0].weight and ours[1].running_mean is net[1].running_mean
    assert ours[2].neuron.w is net[2].w and ours[2].neuron.backend == "spikingjelly"
    assert isinstance(net[2], theirs.PLIFNode) and not ours[2].training
    assert to_braincog(ours)[2].w is net[2].w


def test_turning_into_ours_needs_no_braincog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(braincog, "_imported", lambda: pytest.fail("imported"))
    assert from_braincog(theirs.LIFNode(0.25)).neuron.v_threshold > 0.25


@pytest.mark.usefixtures("installed")
def test_a_model_of_ours_runs_on_their_nodes_and_comes_back() -> None:
    torch.manual_seed(0)
    config = image_config().model_dump(mode="json")
    config["model"] |= {"kind": "gated", "gated": {"width": 32, "multipliers": [1, 1], "blocks": 1, "attention": [8]}}
    config["neurons"] = {"threshold": 0.5, "surrogate": "triangle", "alpha": 2.0}
    net = TTSVQVAE(parse_config(config)).eval()
    x = torch.rand(3, 1, 16, 16)
    there = to_braincog(net)
    back = from_braincog(there)
    config["neurons"]["backend"] = "braincog"
    by_backend = TTSVQVAE(parse_config(config)).eval()
    by_backend.load_state_dict(net.state_dict())
    assert not any(isinstance(m, LIF) for m in there.modules()) and any(isinstance(m, LIF) for m in back.modules())
    with torch.no_grad():
        expected = net(x)
        for other in (there, back, by_backend):
            for _ in range(2):  # nothing leaks from one forward into the next
                out = other(x)
                assert torch.equal(out.codes, expected.codes) and torch.equal(out.values, expected.values)


@pytest.mark.usefixtures("installed")
def test_a_loop_over_steps_keeps_its_membrane_until_it_is_reset() -> None:
    ours = nn.Sequential(LIF(2.0, decay_input=False, v_threshold=0.5))
    there = to_braincog(ours)
    parts = torch.cat([there(X[:2]), there(X[2:])])
    assert torch.equal(parts, ours(X))
    functional.reset_net(there)
    assert torch.equal(there(X), parts)


def changed(node: nn.Module, **settings: Any) -> nn.Module:
    for name, value in settings.items():
        setattr(node, name, value)
    return node


def learning(node: Any, what: str) -> nn.Module:
    (node.threshold if what == "threshold" else node.act_fun.alpha).requires_grad_()
    return node


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (theirs.BurstLIFNode(), r"1 \(BurstLIFNode\) has no equal here; only IFNode, LIFNode, PLIFNode"),
        (changed(theirs.LIFNode(), groups=2), r"1 \(LIFNode\) has groups=2, expected 1"),
        (changed(theirs.IFNode(), dt=0.5), "has dt=0.5, expected 1.0"),
        (changed(theirs.IFNode(), sigmoid_thres=True), "has sigmoid_thres=True, expected False"),
        (changed(theirs.LIFNode(), mem_detach=True), "has mem_detach=True"),
        (changed(theirs.LIFNode(), requires_fp=True), "has requires_fp=True"),
        (changed(theirs.LIFNode(), v_reset=-1.0), "has v_reset=-1.0"),
        (learning(theirs.LIFNode(), "threshold"), "learns its threshold"),
        (learning(theirs.PLIFNode(), "alpha"), "surrogate that learns"),
        (changed(theirs.LIFNode(), act_fun=nn.ReLU()), "has the surrogate ReLU, of which there is no equal"),
        (changed(theirs.LIFNode(), act_fun=theirs.GateGrad(1.0)), "has the surrogate GateGrad"),
        (nn.ReLU(), "expected a network with BrainCog's nodes, found none in Sequential"),
    ],
)
def test_nodes_without_an_equal_are_refused_in_one_sentence(node: nn.Module, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        from_braincog(nn.Sequential(nn.Identity(), node))


@pytest.mark.interop
@pytest.mark.skipif(not PYTHON, reason="NEUROGEN_BRAINCOG_PYTHON names no interpreter that has BrainCog")
def test_braincog_itself_agrees() -> None:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[3])}
    command = [PYTHON, "-W", "ignore", "-P", str(SCRIPT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    found = json.loads(done.stdout.splitlines()[-1])
    assert not found["imported unasked"]
    for differ, membrane, gradient, rate in found["layers"].values():
        assert differ == 0 and membrane < 1e-6 and gradient < 1e-6 and 0.05 < rate < 0.95
    assert found["ties"] == [8.0, 0.0, 0.0, 8.0]
    for way in ("0 steps at once", "5 steps at once"):
        there, back, gradient, rate, shared, same = found["networks"][way]
        assert there == back == 0 and gradient < 2e-6 and 0.05 < rate < 0.95 and shared and same
    assert "BiasLIFNode has no equal here" in found["networks"]["refused"]
    for kind in ("gated", "spiking"):
        differ, used = found["models"][kind]["codes"]
        assert differ == 0 and used > 1
        assert max(found["models"][kind]["relative"]) < 2e-6
        assert found["models"][kind]["loss"][1] == pytest.approx(found["models"][kind]["loss"][0], rel=1e-6)
    assert found["converted model"] == [0.0, 0.0]
