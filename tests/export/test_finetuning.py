"""Weights trained on the chip's grid make the chip's spikes, and the training loop around them stays as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

from export.finetuning import finish, prepare
from export.quantising import quantise
from export.reader import read
from export.refusal import Refusal
from export.running import run
from export.simulator import simulate

STEPS = 6  # of tau 2 so many halvings leave whole numbers of the chip's 1/64


def _neuron(kind: str) -> nn.Module:
    function = surrogate.ATan()
    if kind == "if":
        return neuron.IFNode(0.5, surrogate_function=function, step_mode="m")
    return neuron.LIFNode(2.0, v_threshold=0.15, v_reset=-0.1, surrogate_function=function, step_mode="m")


def _network(kind: str = "lif") -> nn.Sequential:
    module = nn.Sequential(
        layer.Conv2d(2, 8, 3, padding=1, bias=False),
        layer.BatchNorm2d(8),
        _neuron(kind),
        layer.AvgPool2d(2),
        layer.Conv2d(8, 8, 3, padding=1),
        layer.BatchNorm2d(8, affine=False),
        _neuron(kind),
        layer.ConvTranspose2d(8, 12, 2, 2, groups=2),
        layer.BatchNorm2d(12),
        _neuron(kind),
        layer.Flatten(),
        layer.Linear(768, 10),
        _neuron(kind),
    )
    functional.set_step_mode(module, "m")
    return module


class _Skip(nn.Module):
    """LIF(BN(conv s1) + gain s0)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner = layer.Conv2d(2, 4, 3, padding=1, step_mode="m"), _neuron("lif")
        self.conv, self.norm = layer.Conv2d(4, 2, 3, padding=1, step_mode="m"), layer.BatchNorm2d(2, step_mode="m")
        self.gain, self.neuron = nn.Parameter(torch.full((2, 1, 1), 0.3137)), _neuron("lif")

    def forward(self, x: Tensor) -> Tensor:
        return self.neuron(self.norm(self.conv(self.inner(self.first(x)))) + self.gain * x)


def _data(items: int, seed: int) -> tuple[Tensor, Tensor]:
    """Spikes (T, N, 2, 8, 8) of ten random patterns, and which they are."""
    generator = torch.Generator().manual_seed(seed)
    rates = torch.rand(10, 2, 8, 8, generator=torch.Generator().manual_seed(5)) * 0.7
    labels = torch.randint(0, 10, (items,), generator=generator)
    return (torch.rand(STEPS, items, 2, 8, 8, generator=generator) < rates[labels]).float(), labels


def _train(module: nn.Module, steps: int, lr: float, seed: int = 1) -> None:
    optimiser = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr)
    module.train()
    for step in range(steps):
        x, labels = _data(32, 1000 * seed + step)
        functional.reset_net(module)
        y = module(x).flatten(2)
        loss = nn.functional.cross_entropy(y.mean(0) * 10, labels % y.shape[2])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    functional.reset_net(module)
    module.eval()


def _differences(module: nn.Module, per_channel: bool = False) -> dict[str, float]:
    """Share of each layer's spikes that the float network and the simulated chip do not share."""
    x = _data(32, 7)[0]
    network = read(module, x)
    names = [found.name for found in network.layers]
    expected = run(network, x, names)
    found = simulate(quantise(network, x.numpy(), per_channel), x.numpy(), names)
    assert all(0.02 < expected[name].mean() < 0.7 for name in names)
    return {name: float((expected[name] != found[name]).mean()) for name in names}


@pytest.fixture(scope="module")
def trained() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    modules = {kind: _network(kind) for kind in ("lif", "if")}
    for module in modules.values():
        _train(module, 15, 2e-2)
    return modules


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("kind", ["lif", "if"])
def test_on_the_grid_no_spike_differs_and_without_it_few_do(
    kind: str, per_channel: bool, trained: dict[str, nn.Module]
) -> None:
    before = _differences(trained[kind], per_channel)
    assert 0 < max(before.values()) <= 0.03
    module = copy.deepcopy(trained[kind])
    prepare(module, _data(2, 3)[0], per_channel)
    _train(module, 4, 2e-3, seed=2)
    finish(module)
    assert set(_differences(module, per_channel).values()) == {0.0}


def test_what_was_trained_is_what_is_left(trained: dict[str, nn.Module]) -> None:
    module, x = copy.deepcopy(trained["lif"]), _data(16, 8)[0]
    keys = list(module.state_dict())
    prepare(module, x)
    _train(module, 3, 2e-3)
    functional.reset_net(module)
    before = module(x).detach()
    finish(module)
    functional.reset_net(module)
    assert torch.equal(module(x), before)
    assert list(module.state_dict()) == keys
    assert type(module[0]) is layer.Conv2d


def test_the_gain_of_a_skip_is_on_the_grid_of_its_neurons() -> None:
    torch.manual_seed(1)
    module = _Skip()
    _train(module, 5, 1e-2)
    x = _data(32, 7)[0]
    finish(prepare(module, x))
    network = read(module, x)
    names = [found.name for found in network.layers]
    chip = quantise(network, x.numpy())
    expected, found = run(network, x, names), simulate(chip, x.numpy(), names)
    assert all(np.array_equal(expected[name], found[name]) for name in names)
    counts = module.gain.detach().double().flatten() * float(chip.layers[-1].scale)
    assert (counts - counts.round()).abs().max() < 1e-3 and counts.abs().min() > 5


def test_the_gradient_is_that_of_the_rounded_weight_and_the_optimiser_keeps_its_parameters() -> None:
    module = nn.Sequential(layer.Linear(4, 3), _neuron("if"), layer.Linear(3, 2), _neuron("if"))
    functional.set_step_mode(module, "m")
    parameters = list(module.parameters())
    x = torch.ones(3, 2, 4)
    prepare(module, x)
    assert {id(p) for p in module.parameters()} == {id(p) for p in parameters}
    weight = module[0].weight
    seen = torch.autograd.grad((weight * torch.arange(12.0).reshape(3, 4)).sum(), parameters[0])[0]
    assert torch.equal(seen, torch.arange(12.0).reshape(3, 4))
    counts = weight / weight.abs().max() * 127
    assert not torch.equal(weight, parameters[0]) and torch.allclose(counts, counts.round(), atol=1e-3)


def test_a_leak_becomes_a_multiple_of_1_4096_and_is_held() -> None:
    plif = neuron.ParametricLIFNode(2.7, step_mode="m")
    lif = neuron.LIFNode(3.3, step_mode="m")
    module = nn.Sequential(layer.Linear(4, 3), plif, layer.Linear(3, 2), lif)
    functional.set_step_mode(module, "m")
    prepare(module, torch.ones(3, 2, 4))
    assert float(plif.w.sigmoid() * 4096) == pytest.approx(1517, abs=1e-3)  # 4096 / 2.7 = 1517.04
    assert 4096 / lif.tau == 1241  # 4096 / 3.3 = 1241.2
    assert not plif.w.requires_grad


def test_what_takes_real_values_or_ends_without_neurons_stays_as_it_is() -> None:
    module = nn.Sequential(
        layer.Linear(4, 3), _neuron("if"), layer.Linear(3, 2), _neuron("if"), layer.Linear(2, 2, step_mode="m")
    )
    functional.set_step_mode(module, "m")
    before = copy.deepcopy(module.state_dict())
    finish(prepare(module, torch.rand(3, 2, 4)))
    after = module.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == ["2.weight", "2.bias"]


def test_a_copy_is_finished_and_training_goes_on(trained: dict[str, nn.Module]) -> None:
    module = prepare(copy.deepcopy(trained["if"]), _data(2, 3)[0])
    state = copy.deepcopy(module.state_dict())
    finish(copy.deepcopy(module))
    assert all(torch.equal(state[name], tensor) for name, tensor in module.state_dict().items())
    _train(module, 1, 1e-3)
    finish(module)


def test_a_network_that_has_seen_no_batch_can_be_trained_on_the_grid_from_its_beginning() -> None:
    torch.manual_seed(2)
    module = _network()
    prepare(module, _data(2, 3)[0])
    assert int(module[1].num_batches_tracked) == 0
    _train(module, 20, 2e-2)
    assert set(_differences(finish(module)).values()) == {0.0}


def test_what_cannot_be_exported_is_refused_before_training() -> None:
    soft = nn.Sequential(nn.Linear(4, 3), neuron.IFNode(v_reset=None, step_mode="m"))
    with pytest.raises(Refusal, match=r"^1: soft reset"):
        prepare(soft, torch.ones(3, 2, 4))
    module = nn.Sequential(nn.Linear(4, 3), _neuron("if"))
    with pytest.raises(ValueError, match="a layer of neurons that takes spikes"):
        prepare(module, torch.rand(3, 2, 4))
    with pytest.raises(ValueError, match="was prepared"):
        finish(module)
    prepare(module, torch.ones(3, 2, 4))
    with pytest.raises(ValueError, match="not on a grid yet"):
        prepare(module, torch.ones(3, 2, 4))
