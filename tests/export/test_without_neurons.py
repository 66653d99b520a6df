"""A network without spikes is refused by the layers that pass real values on, each named once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import export
from tests.export.networks import folded, prepared


def refused(module: nn.Module, *shape: int) -> dict[str, str]:
    with pytest.raises(export.Refusal) as caught:
        export.read(prepared(module), torch.rand(3, 2, *shape))
    return dict(line.split(": ", 1) for line in str(caught.value).splitlines())


def test_each_activation_between_two_maps_is_named_and_what_the_host_may_do_at_the_end_is_not() -> None:
    parts = [nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 3, 2, 1), nn.LeakyReLU()]
    said = refused(folded(*parts, nn.Flatten(), nn.Linear(32, 6), nn.Tanh()), 1, 8, 8)
    assert list(said) == ["2", "4"]
    assert said["2"].startswith("ReLU: it makes real values, and only spikes pass between a chip's layers")
    assert "put IF, LIF or PLIF neurons in its place" in said["4"]


class Functional(nn.Module):
    """Two Linears with a function between them."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.first, self.second = function, nn.Linear(5, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.function(self.first(x)))


@pytest.mark.parametrize("name", ["relu", "silu", "gelu", "softplus"])
def test_an_activation_without_a_module_is_named_after_the_module_that_calls_it(name: str) -> None:
    assert list(refused(Functional(getattr(F, name)), 5)) == ["Functional"]


def test_a_network_that_is_linear_lacks_neurons_and_nothing_else() -> None:
    with pytest.raises(ValueError, match=r"^expected at least one spiking layer in Sequential, got none") as caught:
        export.read(nn.Sequential(nn.Linear(5, 4), nn.Tanh()).double(), torch.rand(3, 2, 5))
    assert not isinstance(caught.value, export.Refusal)
