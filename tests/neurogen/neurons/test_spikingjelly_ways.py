"""Our neurons *are* SpikingJelly's: what its library does to a network, it does to ours."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import functional, layer, memopt, monitor, neuron, surrogate
from torch import Tensor, nn

from neurogen.neurons import IF, LIF, PLIF, Gate
from tests.neurogen.neurons.peer import currents

KINDS = [LIF, IF, PLIF]
STOCK = {LIF: neuron.LIFNode, IF: neuron.IFNode, PLIF: neuron.ParametricLIFNode}


def network(node: Any) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(layer.Linear(6, 5, step_mode="m"), node, layer.Linear(5, 3, step_mode="m"))
    net[0].weight.data.mul_(4)  # strong enough to fire
    return net


def inputs() -> Tensor:
    return currents(4, 2, 6, dtype=torch.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_spikingjellys_nodes(kind: type) -> None:
    node = kind()
    assert isinstance(node, STOCK[kind])
    assert isinstance(node, kind)
    assert repr(node).startswith(kind.__name__)


@pytest.mark.parametrize("kind", KINDS)
def test_reset_net_puts_the_membrane_back(kind: type) -> None:
    net = network(kind(v_reset=-0.25))
    first = net(inputs())
    assert not torch.equal(net(inputs()), first)
    functional.reset_net(net)
    assert net[1].v == -0.25
    assert torch.equal(net(inputs()), first)


def test_detach_net_cuts_the_gradient_between_calls() -> None:
    net = network(LIF())
    net(inputs()).sum().backward()
    functional.detach_net(net)
    net(inputs()).sum().backward()  # would go through the first, freed graph otherwise
    assert net[1].v.grad_fn is not None


@pytest.mark.parametrize("kind", KINDS)
def test_set_step_mode_steps_one_by_one_to_the_same_spikes(kind: type) -> None:
    net = network(kind())
    many = net(inputs())
    functional.reset_net(net)
    functional.set_step_mode(net, "s")
    assert torch.allclose(torch.stack([net(x) for x in inputs()]), many, atol=1e-6)  # linear layers over 2 rows or 8
    functional.reset_net(net)
    functional.set_step_mode(net, "m")
    assert torch.equal(net(inputs()), many)


@pytest.mark.parametrize("kind", KINDS)
def test_store_v_seq_keeps_the_membrane_of_every_step(kind: type) -> None:
    x = currents(5, 3)
    node = kind(store_v_seq=True)
    spikes = node(x)
    plain = kind()
    for t in range(5):
        plain.reset()
        assert torch.equal(plain(x[: t + 1]), spikes[: t + 1])
        assert torch.equal(node.v_seq[t], plain.v)


def test_an_output_monitor_records_the_spikes() -> None:
    net = nn.Sequential(network(LIF()), Gate(LIF()))
    with monitor.OutputMonitor(net, LIF) as seen:
        net(inputs())
    assert seen.monitored_layers == ["0.1", "1.neuron"]
    assert all(((s == 0) | (s == 1)).all() and s.shape[:2] == (4, 2) for s in seen.records)
    with monitor.OutputMonitor(net, neuron.LIFNode) as seen:  # by SpikingJelly's name too
        net(inputs())
    assert len(seen.records) == 2


def test_memopt_checkpoints_a_module_without_changing_gradients() -> None:
    plain = nn.Sequential(network(LIF()), Gate(LIF()))
    spared = copy.deepcopy(plain)
    spared[0] = memopt.checkpoint_module(spared[0])
    x = inputs().requires_grad_()
    found = []
    for net in (plain, spared):
        y = net(x)
        found.append(torch.autograd.grad(y.square().sum(), net.parameters()))
        functional.reset_net(net)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize(("kind", "node"), [(LIF, "LIF"), (IF, "IF")])
def test_nir_takes_them_and_gives_the_same_spikes_back(kind: type, node: str, tmp_path: Path) -> None:
    nir = pytest.importorskip("nir")
    pytest.importorskip("nirtorch")
    from spikingjelly.activation_based import nir_exchange

    net = network(kind(v_threshold=0.5))
    functional.set_step_mode(net, "m")
    path = tmp_path / "net.nir"
    nir_exchange.export_to_nir(net, inputs(), save_path=path)
    graph = nir.read(path)
    assert [type(n).__name__ for n in graph.nodes.values()].count(node) == 1
    back = nir_exchange.import_from_nir(graph)
    functional.set_step_mode(back, "m")
    y, _state = back(inputs())
    assert torch.allclose(y, net(inputs()), atol=1e-6)
    assert y.std() > 0.1


def test_torch_compile_gives_the_same_spikes_and_gradients() -> None:
    plain, x = network(LIF(surrogate_function=surrogate.ATan())), inputs()
    compiled = torch.compile(copy.deepcopy(plain), backend="aot_eager", fullgraph=True)  # no C++ compiler needed
    found = []
    for net in (plain, compiled):
        functional.reset_net(net)
        y = net(x)
        found.append((y, *torch.autograd.grad(y.square().sum(), net.parameters())))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("store", [False, True])
def test_deepcopy_after_a_training_step_copies_membrane_and_settings(kind: type, store: bool) -> None:
    net = network(kind(v_threshold=0.7, backend="spikingjelly", store_v_seq=store))
    net(inputs()).sum().backward()
    twin = copy.deepcopy(net)
    assert type(twin[1]) is kind
    assert (twin[1].backend, twin[1].v_threshold) == ("spikingjelly", 0.7)
    assert torch.equal(twin[1].v, net[1].v)
    assert torch.equal(twin(inputs()), net(inputs()))
    twin[1].reset()
    assert isinstance(net[1].v, Tensor)  # the original keeps its own


def test_a_copy_shares_nothing_with_its_original() -> None:
    net = network(PLIF())
    twin = copy.deepcopy(net)
    net(inputs()).sum().backward()
    assert twin[1].w is not net[1].w
    assert twin[1].w.grad is None
    assert twin[1].v == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_shallow_copy_is_of_the_same_kind(kind: type) -> None:
    twin = copy.copy(kind(backend="spikingjelly"))
    assert type(twin) is kind
    assert twin.backend == "spikingjelly"


def test_moving_to_another_precision_moves_the_membrane() -> None:
    net = network(LIF())
    net(inputs())
    net.double()
    assert net(inputs().double()).dtype == torch.float64
    assert net[1].v.dtype == torch.float64
