"""What cannot run on a chip is refused, layer by layer and all at once; bad input in one sentence."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import layer, neuron
from torch import Tensor, nn

import export
from tests.export.networks import build, folded, lif, prepared, spikes
from tests.export.test_reader import Written


def refusal(module: nn.Module, x: Tensor) -> dict[str, str]:
    """What is said of each layer."""
    with pytest.raises(export.Refusal) as caught:
        export.read(prepared(module), x)
    lines = str(caught.value).splitlines()
    assert isinstance(caught.value, ValueError) and len(lines) == len(set(lines))
    return dict(line.split(": ", 1) for line in lines)


def conv(inputs: int, outputs: int) -> nn.Module:
    return layer.Conv2d(inputs, outputs, 3, padding=1, step_mode="m")


class Block(nn.Module):
    """Two layers of neurons side by side, joined by a function."""

    def __init__(self, join: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.join, self.a, self.b, self.m, self.n = join, conv(2, 4), conv(2, 4), lif(), lif()

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.m(self.a(x)), self.n(self.b(x)))


class Gate(nn.Module):
    """x * LIF(x)."""

    def __init__(self) -> None:
        super().__init__()
        self.neuron = lif()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.neuron(x)


class Residual(nn.Module):
    """x + conv(x), of real values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)


def test_every_layer_that_cannot_be_is_named_once_and_no_other_is() -> None:
    parts = {
        "fine": conv(2, 4),
        "norm": folded(nn.GroupNorm(2, 4)),
        "first": lif(),
        "middle": conv(4, 4),
        "soft": lif(v_reset=None),
        "last": conv(4, 4),
        "odd": neuron.KLIFNode(step_mode="m"),
    }
    said = refusal(nn.Sequential(OrderedDict(parts)), spikes(2, 6, 6))
    assert list(said) == ["norm.0", "soft", "odd"]
    assert "GroupNorm" in said["norm.0"] and "use batch norm" in said["norm.0"]
    assert "soft reset" in said["soft"] and "use a hard reset" in said["soft"]
    assert "KLIFNode" in said["odd"] and "use IF, LIF or PLIF" in said["odd"]


JOINS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "sum": (lambda a, b: a + b, "a sum of several neurons' outputs"),
    "difference": (lambda a, b: a - b, "a sum of"),
    "product": (lambda a, b: a * b, "x * LIF(x)"),
    "concatenation": (lambda a, b: torch.cat([a, b], 2)[:, :, :4], "a concatenation"),
    "attention": (lambda a, b: a @ b.mT, "attention"),
}


@pytest.mark.parametrize("how", JOINS)
def test_two_layers_joined_in_a_block_are_refused_under_the_block_s_name(how: str) -> None:
    join, what = JOINS[how]
    tail = [layer.Flatten(step_mode="m"), nn.Linear(144, 3), lif()]
    said = refusal(nn.Sequential(Block(join), *tail), spikes(2, 6, 6))
    assert list(said) == ["0"] and what in said["0"]


def test_a_gate_and_a_sum_of_real_values_are_refused() -> None:
    said = refusal(nn.Sequential(conv(2, 4), Gate(), Residual(), lif(), Residual(), lif()), spikes(2, 6, 6))
    assert list(said) == ["1", "2"]
    assert "x * LIF(x)" in said["1"] and "a sum of real values" in said["2"]


def test_what_comes_after_a_refused_layer_is_judged_by_itself() -> None:
    first, second = (Block(lambda a, b: a + b) for _ in range(2))
    second.a, second.b = conv(4, 4), conv(4, 4)
    said = refusal(nn.Sequential(first, conv(4, 4), lif(), second, conv(4, 4), lif()), spikes(2, 6, 6))
    assert list(said) == ["0", "3"]
    layers = {"a": nn.Linear(6, 5), "soft": neuron.LIFNode(v_reset=None), "b": nn.Linear(5, 5), "n": neuron.LIFNode()}

    def forward(m: Any, x: Tensor) -> Tensor:
        out = []
        for step in x:
            s = m.soft(m.a(step))
            out.append(m.n(m.b(s) + s))
        return torch.stack(out)

    assert list(refusal(Written(forward, **layers), spikes(6))) == ["soft"]


def test_a_sum_of_two_convolutions_is_a_sum_of_real_values() -> None:
    layers = {"a": conv(2, 4), "b": conv(2, 4), "n": lif()}
    said = refusal(nn.Sequential(Written(lambda m, x: m.n(m.a(x) + m.b(x)), **layers)), spikes(2, 6, 6))
    assert list(said) == ["0"] and "a sum of real values" in said["0"]


NORMS = {
    "LayerNorm": nn.LayerNorm(6),
    "GroupNorm": folded(nn.GroupNorm(2, 4)),
    "InstanceNorm2d": folded(nn.InstanceNorm2d(4)),
    "BatchNorm2d": folded(nn.BatchNorm2d(4, track_running_stats=False)),
    "ReLU": nn.ReLU(),
    "Sigmoid": nn.Sigmoid(),
    "Softmax": nn.Softmax(2),
    "MaxPool2d": folded(nn.MaxPool2d(2)),
    "Conv2d": conv(4, 4),
    "Upsample": folded(nn.Upsample(scale_factor=2, mode="bilinear")),
}


@pytest.mark.parametrize("kind", NORMS)
def test_what_makes_real_values_between_a_convolution_and_its_neurons_is_refused(kind: str) -> None:
    said = refusal(nn.Sequential(conv(2, 4), NORMS[kind], lif()), spikes(2, 6, 6))
    assert len(said) == 1
    ((name, text),) = said.items()
    assert name in ("1", "1.0") and text.startswith(f"{kind}: ") and re.search("; (use|keep|leave|put|pool)", text)


@pytest.mark.parametrize("kind", ["GroupNorm", "Sigmoid"])
def test_after_the_last_layer_the_same_is_left_to_the_host(kind: str) -> None:
    module = prepared(nn.Sequential(conv(2, 4), lif(), conv(4, 4), NORMS[kind]))
    network = export.read(module, spikes(2, 6, 6))
    assert network.layers[-1].name == "2" and len(network.host) == 1 and kind in network.host[0]


def test_a_threshold_at_the_reset_value_is_refused() -> None:
    node = neuron.IFNode(v_threshold=0.5, v_reset=0.5, step_mode="m")
    said = refusal(nn.Sequential(nn.Linear(3, 4), node), spikes(3))
    assert list(said) == ["1"] and "threshold at or below reset" in said["1"]


def test_batch_norms_whose_numbers_differ_from_step_to_step_are_refused() -> None:
    through = layer.BatchNormThroughTime2d(6, 4, step_mode="m")  # `prepared` gives each step its own numbers
    effective = layer.TemporalEffectiveBatchNorm2d(6, 4)
    nn.init.uniform_(effective.scale)
    said = refusal(nn.Sequential(conv(2, 4), through, lif(), conv(4, 4), effective, lif()), spikes(2, 6, 6))
    assert list(said) == ["1", "4"]
    assert "at every step" in said["1"] and "differ from step to step" in said["4"]


def test_a_loop_with_other_weights_at_other_steps_is_refused() -> None:
    layers = {"fc": nn.Linear(6, 5), "norms": nn.ModuleList(nn.BatchNorm1d(5) for _ in range(6)), "n": neuron.LIFNode()}

    def forward(m: Any, x: Tensor) -> Tensor:
        return torch.stack([m.n(norm(m.fc(step))) for step, norm in zip(x, m.norms, strict=True)])

    said = refusal(Written(forward, **layers), spikes(6))
    assert list(said) == ["n"] and "other weights at other steps" in said["n"]


def test_a_neuron_that_is_used_twice_is_refused() -> None:
    layers = {"a": nn.Linear(6, 6), "b": nn.Linear(6, 6), "n": lif()}
    said = refusal(Written(lambda m, x: m.n(m.b(m.n(m.a(x)))), **layers), spikes(6))
    assert list(said) == ["n"] and "twice" in said["n"]


def test_a_mean_over_time_before_neurons_is_refused() -> None:
    layers = {"a": nn.Linear(6, 6), "n": lif(), "b": nn.Linear(6, 4), "m": neuron.LIFNode()}
    said = refusal(Written(lambda m, x: m.m(m.b(m.n(m.a(x)).mean(0))), **layers), spikes(6))
    assert len(said) == 1 and "mean over the 6 steps" in next(iter(said.values()))


def test_average_pools_that_divide_by_less_at_the_border_are_refused() -> None:
    pool = nn.AvgPool2d(2, padding=1, count_include_pad=False)
    said = refusal(nn.Sequential(conv(2, 4), lif(), folded(pool, nn.Conv2d(4, 3, 1)), lif()), spikes(2, 6, 6))
    assert list(said) == ["2.0"] and "count_include_pad=True" in said["2.0"]


def test_padding_after_overlapping_pools_is_refused() -> None:
    parts = folded(nn.AvgPool2d(3, 2), nn.Conv2d(4, 3, 3, padding=1))
    said = refusal(nn.Sequential(conv(2, 4), lif(), parts, lif()), spikes(2, 7, 7))
    assert list(said) == ["2.1"] and "padding" in said["2.1"]


def test_other_padding_than_zeros_is_refused() -> None:
    part = nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular")
    said = refusal(nn.Sequential(folded(part), lif()), spikes(2, 6, 6))
    assert list(said) == ["0.0"] and "padding_mode='zeros'" in said["0.0"]


def test_a_function_in_the_root_is_named_after_its_class() -> None:
    said = refusal(Written(lambda m, x: m.n(torch.relu(m.a(x))), a=nn.Linear(6, 5), n=lif()), spikes(6))
    assert list(said) == ["Written"] and "relu" in said["Written"]


def test_what_leaves_torch_on_the_way_is_refused() -> None:
    layers = {"a": nn.Linear(6, 5), "n": lif()}
    said = refusal(Written(lambda m, x: m.n(torch.from_numpy(m.a(x).numpy() * 2)), **layers), spikes(6))
    assert list(said) == ["n"] and "can be followed" in said["n"]


def test_a_change_that_reading_does_not_see_is_found_in_the_spikes() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        current = m.a(x)
        current.view(-1).add_(9.0)  # through a view, so that `current` changes unseen
        return m.n(current)

    said = refusal(Written(forward, a=nn.Linear(6, 20), n=lif()), spikes(6))
    assert list(said) == ["n"] and "spikes on the example differ" in said["n"]


@pytest.mark.parametrize(
    ("module", "x", "sentence"),
    [
        (nn.Sequential(nn.Linear(6, 5)), spikes(6), "expected at least one spiking layer in Sequential, got none"),
        (nn.Sequential(folded(nn.MaxPool2d(2))), spikes(2, 4, 4), "expected at least one spiking layer in Sequential"),
        (
            Written(lambda m, x: (m.n(x), m.fc(x))[1], n=lif(), fc=nn.Linear(6, 5)),
            spikes(6),
            "between input and output",
        ),
        (Written(lambda m, x: (m.n(x), x)[1], n=lif()), spikes(6), "between input and output"),
        (nn.Sequential(nn.Linear(6, 5), lif()), torch.rand(2, 6), "expected an example input of shape"),
        (nn.Sequential(nn.Linear(6, 5), lif()), torch.rand(0, 2, 6), "expected an example input of shape"),
        (nn.Sequential(nn.Linear(6, 5), lif()), spikes(7), r"expected an example input \(T, N, ...\) that the module"),
        (nn.Sequential(conv(2, 5), lif()), spikes(7), r"got \(6, 3, 7\)"),
        (nn.Sequential(conv(2, 5), neuron.LIFNode()), spikes(7), r"got \(6, 3, 7\)"),
    ],
)
def test_bad_input_is_one_sentence(module: nn.Module, x: Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        export.read(module.double(), x.double())
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(value: float) -> None:
    module = nn.Sequential(nn.Linear(6, 5), lif(), nn.Linear(5, 4), lif()).double()
    module[2].weight.data[1, 2] = value
    with pytest.raises(
        ValueError, match=r"^expected finite weights, got NaN or infinity onto 3: train or load others$"
    ):
        export.read(module, spikes(6))


def test_what_is_no_module_is_named() -> None:
    with pytest.raises(TypeError, match=r"^expected a torch module, got function; give the network itself$"):
        export.read(lambda x: x, spikes(6))  # type: ignore[arg-type]


def test_batch_norms_that_saw_no_data_are_named() -> None:
    module = nn.Sequential(folded(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)), lif()).double()
    with pytest.raises(ValueError, match=r"expected trained batch norms, got 0.1 which saw no batch"):
        export.read(module, spikes(2, 6, 6))


def test_batch_norms_whose_numbers_were_written_by_hand_count_as_trained() -> None:
    module, x = build("conv")
    module[0][1].num_batches_tracked.zero_()
    assert len(export.read(module, x).layers) == 3


def test_a_refused_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), lif()).double().train()
    with pytest.raises(export.Refusal):
        export.read(module, spikes(6))
    assert module.training and module[2].v == 0.0
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
