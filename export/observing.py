"""Which maps feed which neurons of a module, from one run on an example: who is called after whom.

A linear map, its batch norm and what pools its input belong to the neurons that are called next. So does a gain that a
module of one's own holds beside those neurons, as in LIF(BN(conv s1) + gain s0).
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from export import neurons
from export.restoring import untouched

LINEAR = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_POOLS = (nn.AvgPool1d, nn.AvgPool2d)


@dataclass(eq=False)
class Map:
    """layer: a convolution or Linear; norm: the batch norm after it; area: of the mean over spikes before it;

    whole: whether its input times the area was whole numbers, as spikes are.
    """

    layer: Any
    norm: Any = None
    area: int = 1
    whole: bool = True


@dataclass(eq=False)
class Group:
    """neuron: a module; maps: all that feed it; gains: of spikes added to them, as (module, parameter's name)."""

    neuron: nn.Module
    maps: list[Map]
    gains: list[tuple[nn.Module, str]] = field(default_factory=list)


def observe(module: nn.Module, example: Tensor) -> list[Group]:
    """The layers of neurons that take spikes, in the order of their first call.

    Raises ValueError for what cannot be told apart: a map that feeds two layers, two norms in a row, spikes made real.
    """
    names = {part: name for name, part in module.named_modules()}
    groups: dict[int, Group] = {}
    pending: list[Map] = []
    calls = _calls(module, example)
    for call in calls:
        if isinstance(call.part, LINEAR):
            pending.append(Map(call.part, None, call.area, call.whole))
        elif isinstance(call.part, _BatchNorm):
            if not pending or pending[-1].norm is not None or type(call.part).__name__.startswith("TemporalEffective"):
                raise ValueError(
                    f"{names[call.part]}: expected one batch norm for all steps after each convolution or Linear, got "
                    f"{type(call.part).__name__} elsewhere; put it there"
                )
            if not call.whole:
                raise ValueError(
                    f"{names[call.part]}: expected a batch norm that scales by its weight, got "
                    f"{type(call.part).__name__}, which does more; put what it does into its weight"
                )
            pending[-1].norm = call.part
        else:
            _join(groups, call.part, pending, names)
            pending = []
    found = [group for group in groups.values() if group.maps]
    found = [group for index, group in enumerate(found) if _takes_spikes(group, index == 0, names)]
    _add_gains(found, module, [call.part for call in calls])
    return found


@dataclass(frozen=True)
class _Call:
    """whole: of a map, as in `Map`; of a batch norm, whether it computes what torch's does with its parameters."""

    part: nn.Module
    area: int = 1
    whole: bool = True


def _calls(module: nn.Module, example: Tensor) -> list[_Call]:
    """Maps, norms and neurons in the order of their calls."""
    calls: list[_Call] = []
    area = 1

    def called(part: nn.Module, args: tuple[Any, ...]) -> None:
        nonlocal area
        if isinstance(part, _POOLS):
            sides = part.kernel_size if isinstance(part.kernel_size, tuple) else (part.kernel_size,) * _axes(part)
            area *= math.prod(sides)
        elif isinstance(part, LINEAR):
            counts = args[0].double() * area
            calls.append(_Call(part, area, bool((counts - counts.round()).abs().max() < 1e-4)))
            area = 1
        elif isinstance(part, _BatchNorm):
            calls.append(_Call(part, whole=_by_its_weight(part, args[0])))
        else:
            calls.append(_Call(part))

    like = next((p for p in module.parameters() if p.is_floating_point()), example)
    example = example.detach().to(like.device, like.dtype)
    with untouched(module), torch.no_grad(), ExitStack() as stack:
        functional.reset_net(module)
        for part in module.modules():
            if isinstance(part, (*LINEAR, *_POOLS, _BatchNorm)) or neurons.find(part) is not None:
                stack.callback(part.register_forward_pre_hook(called).remove)
        try:
            module(example)
        except Exception:  # a module that takes one step at a time
            calls.clear()
            functional.reset_net(module)
            for step in example:
                module(step)
    return calls


def _by_its_weight(norm: _BatchNorm, x: Tensor) -> bool:
    """In eval mode: whether a batch norm, which may be a subclass, scales by its weight and nothing else."""
    plain = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    steps = x.flatten(0, 1) if getattr(norm, "step_mode", "s") == "m" else x
    wanted = nn.functional.batch_norm(steps, *plain, eps=norm.eps).view_as(x)
    return torch.allclose(norm.forward(x), wanted, rtol=1e-4, atol=1e-5)


def _axes(pool: nn.Module) -> int:
    return 1 if isinstance(pool, nn.AvgPool1d) else 2


def _join(groups: dict[int, Group], part: nn.Module, maps: list[Map], names: dict[nn.Module, str]) -> None:
    """Maps that were called before a neuron, at the first step or again at a later one."""
    known = groups.setdefault(id(part), Group(part, []))
    if not known.maps:
        taken = {id(linear.layer) for group in groups.values() for linear in group.maps}
        shared = next((linear for linear in maps if id(linear.layer) in taken), None)
        if shared is not None:
            raise ValueError(
                f"{names[shared.layer]}: expected a layer that feeds one layer of neurons, it feeds two; copy it"
            )
        known.maps.extend(maps)
        return
    for before, now in zip(known.maps, maps, strict=False):
        before.whole &= now.whole


def _takes_spikes(group: Group, first: bool, names: dict[nn.Module, str]) -> bool:
    """Whether it runs on the chip; only the first may take real values, which stay on the host."""
    wrong = next((linear for linear in group.maps if not linear.whole), None)
    if wrong is not None and not first:
        raise ValueError(
            f"{names[wrong.layer]}: expected spikes, or means over them by nn.AvgPool, as its input, got real values; "
            f"use modules for what lies between"
        )
    return wrong is None


def _add_gains(groups: list[Group], module: nn.Module, calls: list[nn.Module]) -> None:
    """Parameters of modules of one's own, given to the last-called neurons among their children."""
    last = {id(part): index for index, part in enumerate(calls)}
    of_neuron = {id(group.neuron): group for group in groups}
    for owner in module.modules():
        if isinstance(owner, (*LINEAR, _BatchNorm)) or neurons.find(owner) is not None:
            continue
        children = [part for part in owner.children() if id(part) in of_neuron and id(part) in last]
        if children:
            group = of_neuron[id(max(children, key=lambda part: last[id(part)]))]
            group.gains += [(owner, name) for name, _ in owner.named_parameters(recurse=False)]
