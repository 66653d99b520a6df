"""Parameters on the grid of a layer of neurons: rounded in the forward, the gradient straight through.

A layer's scale S (`scales.py`) is taken anew from its weights at each use, so that nothing but the weights has to be
stored. With a batch norm behind a map, y = f (W s + c - mean) + beta where f = weight / std of the running statistics,
and what is rounded is f W and f (c - mean) + beta, which are what is exported.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from export.limits import Limits
from export.observing import Group, Map
from export.scales import Firing, snapped


@dataclass(eq=False)
class Layer:
    """What the neurons of a layer and all that feeds them share. Knows the modules without being their parent."""

    group: Group
    firing: Firing
    per_channel: bool
    limits: Limits

    def install(self) -> None:
        """Parametrise all that the neurons add up."""
        for linear in self.group.maps:
            _on_grid(linear.layer, "weight", Weight(self, linear))
            holder = linear.norm if linear.norm is not None and linear.norm.bias is not None else linear.layer
            if holder.bias is not None:  # else the running mean is rounded, when all is done
                _on_grid(holder, "bias", Bias(self, linear))
        for owner, name in self.group.gains:
            _on_grid(owner, name, Gain(self))

    def scale(self) -> Tensor:
        """Chip units in one unit of x: one number, or one a channel (O,), float64."""
        maps = [_by_output(linear.layer, _folded(linear)).abs().amax(1) for linear in self.group.maps]
        gains = [_raw(owner, name).abs().flatten() for owner, name in self.group.gains]
        largest = torch.stack([values.double().expand(len(maps[0])) for values in (*maps, *gains)]).amax(0)
        biases = torch.stack([_bias(linear).abs().expand(len(maps[0])) for linear in self.group.maps]).sum(0)
        if not self.per_channel:
            largest, biases = largest.max(), biases.max()
        highest = torch.minimum(self.limits.weight / largest, self.limits.bias / biases)
        highest = highest.clamp(max=self.limits.threshold / self.firing.theta).cpu().numpy()
        scales = np.array([snapped(float(value), self.firing) for value in highest.reshape(-1)])
        return torch.from_numpy(scales.reshape(highest.shape)).to(largest.device)

    def settled(self) -> list[tuple[Tensor, Tensor]]:
        """Plain parameters and buffers, and what they become: folded weights, norms that only add the bias."""
        scale, plain = self.scale(), []
        for linear in self.group.maps:
            over = _over_outputs(linear.layer, scale)
            plain.append((_raw(linear.layer, "weight"), linear.area * self.counts(_folded(linear), over) / over))
            bias, norm, own = self.rounded_bias(linear), linear.norm, _raw(linear.layer, "bias")
            if own is not None:
                plain.append((own, bias if norm is None else torch.zeros_like(own)))
            if norm is not None:
                shift = _raw(norm, "bias")
                plain.append((norm.running_var, torch.full_like(norm.running_var, 1 - norm.eps)))
                plain.append((norm.running_mean, -bias if shift is None else torch.zeros_like(norm.running_mean)))
                if shift is not None:
                    plain += [(norm.weight, torch.ones_like(norm.weight)), (shift, bias)]
        for owner, name in self.group.gains:
            values = _raw(owner, name)
            plain.append((values, self.rounded_gain(values)))
        return plain

    def counts(self, values: Tensor, scale: Tensor) -> Tensor:
        """The integers that the chip's weights become."""
        return (values.double() * scale).round().clamp(-self.limits.weight, self.limits.weight)

    def rounded_bias(self, linear: Map) -> Tensor:
        """(O,) what a map adds whatever the spikes, on the grid."""
        scale = self.scale()
        return (_bias(linear) * scale).round() / scale

    def rounded_gain(self, values: Tensor) -> Tensor:
        scale = self.scale()
        scale = scale.reshape(values.shape) if scale.ndim and values.numel() > 1 else scale.min()
        return self.counts(values, scale) / scale


class _Grid(nn.Module):
    """What parametrises one parameter."""

    def __init__(self, layer: Layer, linear: Map | None = None) -> None:
        super().__init__()
        self.layer, self.linear = layer, linear
        self.order: list[str] = []  # of the module's parameters

    def forward(self, value: Tensor) -> Tensor:
        with torch.no_grad():
            difference = self.rounded(value).to(value.dtype) - value
        return value + difference

    def rounded(self, value: Tensor) -> Tensor:
        raise NotImplementedError


class Weight(_Grid):
    """W such that f W is on the grid."""

    def rounded(self, value: Tensor) -> Tensor:
        assert self.linear is not None
        scale = _over_outputs(self.linear.layer, self.layer.scale())
        factor = _over_outputs(self.linear.layer, _factor(self.linear))
        counts = self.layer.counts(_folded(self.linear), scale)
        return torch.where(factor == 0, value.double(), self.linear.area * counts / scale / factor)


class Bias(_Grid):
    """The bias of a map, or the beta of its norm, such that all it adds is on the grid."""

    def rounded(self, value: Tensor) -> Tensor:
        assert self.linear is not None
        missing = self.layer.rounded_bias(self.linear) - _bias(self.linear)
        if self.linear.norm is not None and _raw(self.linear.norm, "bias") is None:
            missing = missing / _factor(self.linear)
        return value.double() + missing


class Gain(_Grid):
    """The gain of spikes that are added."""

    def rounded(self, value: Tensor) -> Tensor:
        return self.layer.rounded_gain(value)


def layers_of(module: nn.Module) -> list[Layer]:
    """The layers whose parameters are on grids inside a module."""
    return list({id(part.layer): part.layer for part in module.modules() if isinstance(part, _Grid)}.values())


def lift(module: nn.Module) -> None:
    """Take all grids away; parameters are as the optimiser knows them, in the order in which they were.

    torch's own removal would also take them from copies of the module, which share its class.
    """
    for part in [part for part in module.modules() if parametrize.is_parametrized(part)]:
        entries = {name: grids for name, grids in part.parametrizations.items() if isinstance(grids[0], _Grid)}
        if len(entries) < len(part.parametrizations):
            raise ValueError(
                f"expected no other parametrisations beside the grid, {type(part).__name__} has some; remove them first"
            )
        order = next(iter(entries.values()))[0].order
        del part.parametrizations
        part.__class__ = type(part).__bases__[0]
        kept = {**part._parameters, **{name: grids.original for name, grids in entries.items()}}
        part._parameters.clear()
        part._parameters.update({name: kept[name] for name in order})


def _on_grid(part: nn.Module, name: str, grid: _Grid) -> None:
    known = [grids[0].order for grids in part.parametrizations.values()] if parametrize.is_parametrized(part) else []
    grid.order = known[0] if known else list(part._parameters)
    # unsafe: the check would run the forward before all of the layer is in place.
    parametrize.register_parametrization(part, name, grid, unsafe=True)


def _raw(part: Any, name: str) -> Any:
    """A parameter as the optimiser has it."""
    if parametrize.is_parametrized(part, name):
        return part.parametrizations[name].original.detach()
    value = getattr(part, name)
    return None if value is None else value.detach()


def _factor(linear: Map) -> Tensor:
    """(O,) f of the norm behind a map, float64."""
    norm = linear.norm
    if norm is None:
        return torch.ones(1, dtype=torch.float64, device=_raw(linear.layer, "weight").device)
    weight = 1.0 if norm.weight is None else norm.weight.detach().double()
    return weight / (norm.running_var.double() + norm.eps).sqrt()


def _bias(linear: Map) -> Tensor:
    """(O,) or (1,) what a map and its norm add whatever the spikes, float64."""
    own, norm = _raw(linear.layer, "bias"), linear.norm
    total = torch.zeros_like(_factor(linear)) if own is None else own.double()
    if norm is None:
        return total
    shift = _raw(norm, "bias")
    return _factor(linear) * (total - norm.running_mean.double()) + (0.0 if shift is None else shift.double())


def _folded(linear: Map) -> Tensor:
    """f W / area: the weight of one spike, in the weight's own layout, float64."""
    factor = _over_outputs(linear.layer, _factor(linear))
    return _raw(linear.layer, "weight").double() * factor / linear.area


def _by_output(layer: Any, weight: Tensor) -> Tensor:
    """(O, rest) of a weight in torch's layout."""
    if not isinstance(layer, nn.ConvTranspose2d):
        return weight.flatten(1)
    grouped = weight.reshape(layer.groups, -1, *weight.shape[1:]).transpose(1, 2)
    return grouped.reshape(layer.out_channels, -1)


def _over_outputs(layer: Any, values: Tensor) -> Tensor:
    """One number, or one an output channel, so that it broadcasts over the layer's weight."""
    if values.numel() == 1:
        return values.reshape(())
    weight = _raw(layer, "weight")
    if not isinstance(layer, nn.ConvTranspose2d):
        return values.reshape(-1, *[1] * (weight.dim() - 1))
    inputs = len(weight) // layer.groups
    return values.reshape(layer.groups, 1, -1).expand(-1, inputs, -1).reshape(*weight.shape[:2], 1, 1)
