"""Neurons of SpikingJelly, snnTorch and BrainCog: which are a chip's, with which numbers, and which are not.

snnTorch's and BrainCog's stand here as rewrites of their published definitions, under their names; `test_snntorch.py`
has the real ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron
from torch import Tensor, nn

import export
from export.neurons import find
from tests.export.networks import folded, spikes


class Leaky(nn.Module):
    """snnTorch's: U' = beta (1 - reset) U + x, fires above the threshold; delayed, the reset is of the spike before."""

    __module__ = "snntorch._neurons.leaky"

    def __init__(self, beta: Any, threshold: float = 1.0, reset_mechanism: str = "subtract", **others: Any) -> None:
        super().__init__()
        self.beta, self.threshold = torch.as_tensor(beta), torch.as_tensor(threshold)
        self.reset_mechanism, self.reset_delay = reset_mechanism, others.pop("reset_delay", True)
        self.inhibition, self.state_quant = others.pop("inhibition", False), False
        self.graded_spikes_factor = torch.tensor(others.pop("graded_spikes_factor", 1.0))
        self.init_hidden = others.pop("init_hidden", False)
        self.register_buffer("mem", torch.zeros(0), False)

    def reset_mem(self) -> Tensor:
        self.mem = torch.zeros_like(self.mem)
        return self.mem

    def forward(self, x: Tensor, mem: Tensor | None = None) -> Any:
        if mem is not None:
            self.mem = mem
        if self.mem.shape != x.shape:
            self.mem = torch.zeros_like(x)
        reset = (self.mem > self.threshold).to(x.dtype)
        if self.reset_mechanism == "zero":
            self.mem = self.beta.clamp(0, 1) * (1 - reset) * self.mem + x
        else:
            self.mem = self.beta.clamp(0, 1) * self.mem + x - (self.reset_mechanism == "subtract") * reset
        spike = (self.mem > self.threshold).to(x.dtype)
        if not self.reset_delay:
            self.mem = self.mem - (spike - reset) * self.mem
        return spike if self.init_hidden else (spike, self.mem)


class _Node(nn.Module):
    """BrainCog's: fires above the threshold, reset to 0; all steps of a batch at once if layer_by_layer."""

    def __init__(self, threshold: float = 0.5, step: int = 6, layer_by_layer: bool = False, **others: Any) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(threshold), requires_grad=False)
        self.mem, self.v_reset, self.dt, self.groups, self.sigmoid_thres = 0.0, 0.0, 1.0, 1, False
        self.step, self.layer_by_layer = step, layer_by_layer
        for name, value in others.items():
            setattr(self, name, value)

    def n_reset(self) -> None:
        self.mem = self.v_reset

    def _once(self, x: Tensor) -> Tensor:
        self.mem = self.integral(x)
        spike = (self.mem > self.threshold).to(x.dtype)
        self.mem = self.mem * (1 - spike)
        return spike

    def forward(self, x: Tensor) -> Tensor:
        if not self.layer_by_layer:
            return self._once(x)
        return torch.stack([self._once(step) for step in x.unflatten(0, (self.step, -1))]).flatten(0, 1)


class LIFNode(_Node):
    __module__ = "braincog.base.node.node"
    tau = 2.0

    def integral(self, x: Tensor) -> Tensor:
        return self.mem + (x - self.mem) / self.tau


class IFNode(_Node):
    __module__ = "braincog.base.node.node"

    def integral(self, x: Tensor) -> Tensor:
        return self.mem + x * self.dt


class BurstLIFNode(LIFNode):
    __module__ = "braincog.base.node.node"


def by_steps(module: nn.Module, x: Tensor) -> np.ndarray:
    for part in module.modules():
        for name in ("reset_mem", "n_reset"):
            getattr(part, name, lambda: None)()
    with torch.no_grad():
        return torch.stack([module(step) for step in x]).numpy()


def on_the_grid(inputs: int, outputs: int) -> nn.Linear:
    """A layer whose sums often meet a threshold of 1 exactly: whether > or >= counts."""
    layer = nn.Linear(inputs, outputs, bias=False).double()
    layer.weight.data = torch.randint(-1, 3, layer.weight.shape).double() / 2
    return layer


@pytest.mark.parametrize(
    "node",
    [
        Leaky(0.5, 1.0, "zero", init_hidden=True),
        Leaky(0.5, 1.0, "zero", init_hidden=True, reset_delay=False),
        Leaky(torch.tensor([0.5, 0.25, 0.0, 1.0] * 2), 1.0, "zero", init_hidden=True),
        LIFNode(0.5),
        IFNode(1.0),
    ],
    ids=["Leaky", "Leaky at once", "Leaky with a beta each", "BrainCog LIF", "BrainCog IF"],
)
def test_neurons_that_fire_above_their_threshold_do_not_fire_at_it(node: nn.Module) -> None:
    torch.manual_seed(0)
    module, x = nn.Sequential(on_the_grid(6, 8), node), spikes(6, steps=20)
    network = export.read(module, x)
    ours = export.run(network, x)["1"]
    np.testing.assert_array_equal(ours, by_steps(module, x))
    assert network.layers[0].neuron.strict and 0.05 < ours.mean() < 0.95
    loose = find(neuron.LIFNode(v_threshold=0.5))
    assert loose is not None and not loose.neuron.strict


def test_braincog_s_layers_of_all_steps_are_read_from_the_folded_batch() -> None:
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.node = on_the_grid(6, 8), LIFNode(0.5, layer_by_layer=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.node(self.fc(x.flatten(0, 1))).unflatten(0, x.shape[:2])

    module, x = Net(), spikes(6)
    network = export.read(module, x)
    module.node.n_reset()
    np.testing.assert_array_equal(export.run(network, x)["node"], module(x).detach().numpy())


def test_membranes_handed_round_a_loop_belong_to_their_neuron() -> None:
    class Net(nn.Module):
        def __init__(self, own: bool) -> None:
            super().__init__()
            self.a, self.b, self.own = on_the_grid(6, 8), on_the_grid(8, 8), own
            self.m, self.n = Leaky(0.5, 1.0, "zero"), Leaky(0.5, 1.0, "zero")

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            u, v, out, membranes = self.m.reset_mem(), self.n.reset_mem(), [], []
            for step in x:
                s, u = self.m(self.a(step), u)
                s, v = self.n(self.b(s), v if self.own else u)
                out.append(s)
                membranes.append(v)
            return torch.stack(out), torch.stack(membranes)

    torch.manual_seed(0)
    module, x = Net(True), spikes(6, steps=12)
    network = export.read(module, x)
    np.testing.assert_array_equal(export.run(network, x)["n"], module(x)[0].detach().numpy())
    with pytest.raises(export.Refusal, match=r"^n: .*membrane is set from outside"):
        export.read(Net(False), x)


def test_leaky_without_reset_is_a_membrane_read_out() -> None:
    class Net(nn.Module):
        def __init__(self, reset: str) -> None:
            super().__init__()
            self.a, self.m, self.b, self.n = (
                nn.Linear(6, 8),
                Leaky(0.5, 0.2, "zero"),
                nn.Linear(8, 3),
                Leaky(0.75, 1.0, reset),
            )

        def forward(self, x: Tensor) -> Tensor:
            u, v, out = None, None, []
            for step in x:
                s, u = self.m(self.a(step), u)
                _, v = self.n(self.b(s), v)
                out.append(v)
            return torch.stack(out).amax(0)

    torch.manual_seed(0)
    module, x = Net("none").double(), spikes(6, steps=10)
    network = export.read(module, x)
    assert np.isinf(network.layers[1].neuron.threshold) and "amax" in network.host[0]
    ours = export.run(network, x)["n"].max(0)
    np.testing.assert_allclose(ours, module(x).detach().numpy(), rtol=0, atol=1e-12)
    with pytest.raises(export.Refusal, match=r"the membrane of n: a chip's layer passes on spikes"):
        export.read(Net("zero").double(), x)


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (Leaky(0.9, init_hidden=True), "subtractive delayed reset"),
        (Leaky(0.9, init_hidden=True, reset_delay=False), "subtractive reset"),
        (Leaky(0.9, reset_mechanism="zero", init_hidden=True, inhibition=True), "Leaky with inhibition"),
        (Leaky(0.9, reset_mechanism="zero", init_hidden=True, graded_spikes_factor=2.0), "graded_spikes_factor"),
        (Leaky(0.9, threshold=0.0, reset_mechanism="zero", init_hidden=True), "threshold at or below reset"),
        (BurstLIFNode(), "BurstLIFNode"),
        (LIFNode(v_reset=-0.1), "another reset"),
        (neuron.LIFNode(v_reset=None), "soft reset"),
        (neuron.IFNode(v_threshold=-1.0), "threshold at or below reset"),
        (neuron.QIFNode(), "QIFNode"),
        (neuron.GatedLIFNode(T=6), "GatedLIFNode"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_neurons_are_refused(node: nn.Module, why: str) -> None:
    found = find(node)
    assert found is not None and found.neuron is None and why in " ".join(found.problem)
    with pytest.raises(export.Refusal, match=r"^1: ") as caught:
        export.read(nn.Sequential(nn.Linear(6, 5), node).double(), spikes(6))
    assert len(str(caught.value).splitlines()) == 1


def test_a_subclass_with_dynamics_of_its_own_is_refused_and_one_without_is_not() -> None:
    class Named(neuron.LIFNode):
        pass

    class Noisy(neuron.LIFNode):
        def single_step_forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
            return super().single_step_forward(x + 1.0)

    assert find(Named()).neuron is not None
    assert find(Noisy()).neuron is None


def test_the_numbers_of_spikingjelly_s_neurons() -> None:
    lif = find(neuron.LIFNode(tau=4.0, v_threshold=0.75, v_reset=-0.25)).neuron
    assert (lif.leak, lif.gain, lif.threshold) == (0.25, 0.25, 1.0)
    lazy = find(neuron.LIFNode(tau=4.0, decay_input=False)).neuron
    assert (lazy.leak, lazy.gain, lazy.threshold) == (0.25, 1.0, 1.0)
    plain = find(neuron.IFNode(v_threshold=0.5)).neuron
    assert (plain.leak, plain.gain, plain.threshold) == (0.0, 1.0, 0.5)
    learned = find(neuron.ParametricLIFNode(init_tau=5.0).double()).neuron
    assert learned.leak == pytest.approx(0.2, abs=1e-7) and learned.gain == learned.leak
    silent = find(neuron.NonSpikingLIFNode(tau=2.0)).neuron
    assert (silent.leak, silent.gain, silent.threshold) == (0.5, 0.5, np.inf)


def test_layers_are_no_neurons() -> None:
    assert find(folded(nn.Linear(2, 2))) is None and find(nn.Dropout()) is None
