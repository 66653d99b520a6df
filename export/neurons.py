"""Which modules are spiking neurons, and what they are in a Network's terms, or why a chip cannot be them.

SpikingJelly  IF, LIF, PLIF, and the two that never fire (read-outs): fire at >=, hard reset
snnTorch      Leaky: v' = beta v (1 - s) + x, fires above; a reset at the next step is the same as one at once
BrainCog      IF, LIF: v' = v + (x - v) / tau, fires above, reset to 0

snnTorch and BrainCog are known by the names of their classes and never imported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from spikingjelly.activation_based import base, neuron
from torch import Tensor, nn

from export.network import Array, Neuron

_RESET = "use a hard reset: v_reset=0"
_PLAIN = "use IF, LIF or PLIF with a hard reset"
_DYNAMICS = (
    "forward",
    "single_step_forward",
    "multi_step_forward",
    "neuronal_charge",
    "neuronal_fire",
    "neuronal_reset",
    "single_step_functional_forward",
    "multi_step_functional_forward",
)
_FAMILIES = {"spikingjelly.activation_based.neuron": "sj", "snntorch": "snntorch", "braincog.base.node": "braincog"}


@dataclass(frozen=True)
class Found:
    """A module with a neuron's state.

    steps: whether it takes all steps at once, as (T, N, ...), or, if `folded`, as (T N, ...); problem: what it is, why
    it cannot be exported and what to use, where neuron is None.
    """

    neuron: Neuron | None
    problem: tuple[str, str, str] | None
    steps: bool
    folded: bool = False


class _Unfit(Exception):
    pass


def find(module: nn.Module) -> Found | None:
    """None for a module that is no neuron."""
    kin = family(module)
    if kin is None:
        return None
    steps, folded = _mode(module, kin)
    kind = module.__class__.__name__
    try:
        return Found(_READERS[kin](module), None, steps, folded)
    except _Unfit as unfit:
        what, why, instead = unfit.args
        return Found(None, (what or kind, why, instead), steps, folded)


def family(module: nn.Module) -> str | None:
    """The package whose neuron it is: sj, snntorch, braincog, or None."""
    if isinstance(module, (neuron.SimpleBaseNode, neuron.BaseNode, neuron.NonSpikingBaseNode)):
        return "sj"
    for kind in type(module).__mro__:
        for prefix, kin in _FAMILIES.items():
            inside = kind.__module__ == prefix or kind.__module__.startswith(f"{prefix}.")
            if inside and (kin != "snntorch" or hasattr(module, "reset_mechanism") or "_neurons" in kind.__module__):
                return kin
    return None


def _mode(module: nn.Module, kin: str) -> tuple[bool, bool]:
    if kin == "sj":
        always = not isinstance(module, base.MemoryModule)
        return always or getattr(module, "step_mode", "s") == "m", False
    folded = kin == "braincog" and bool(getattr(module, "layer_by_layer", False))
    return folded, folded


def _spikingjelly(module: Any) -> Neuron:
    kinds = (neuron.IFNode, neuron.LIFNode, neuron.ParametricLIFNode, neuron.SimpleIFNode, neuron.SimpleLIFNode)
    silent = (neuron.NonSpikingIFNode, neuron.NonSpikingLIFNode)
    kind = next((k for k in (*kinds, *silent) if _same(module.__class__, k)), None)
    if kind is None:
        why = "its dynamics are none of a chip's leaky integrate-and-fire"
        if getattr(module, "v_reset", 0.0) is None:
            why += ", and it subtracts at a spike (v_reset=None) where a chip's neuron starts again at its reset value"
        raise _Unfit(None, why, _PLAIN)
    leak = _spikingjelly_leak(module)
    if kind in silent:
        return Neuron(leak, leak or 1.0, math.inf)
    if module.v_reset is None:
        raise _Unfit("soft reset (v_reset=None)", "a chip's neuron starts again at its reset value", _RESET)
    gain = leak if leak and module.decay_input else 1.0
    return _checked(Neuron(leak, gain, float(module.v_threshold) - float(module.v_reset)))


def _spikingjelly_leak(module: Any) -> float:
    if isinstance(module, neuron.ParametricLIFNode):
        return float(module.w.detach().double().sigmoid())
    return 1.0 / float(module.tau) if hasattr(module, "tau") else 0.0


def _snntorch(module: Any) -> Neuron:
    if not _named(module, "snntorch._neurons.leaky", "Leaky"):
        raise _Unfit(None, "its dynamics are none of a chip's leaky integrate-and-fire", "use snntorch.Leaky")
    reset = getattr(module, "reset_mechanism", None)
    if reset == "subtract":
        delayed = "delayed " if getattr(module, "reset_delay", True) else ""
        what = f"subtractive {delayed}reset (reset_mechanism='subtract')"
        raise _Unfit(what, "a chip's neuron starts again at 0", "use reset_mechanism='zero'")
    for setting, plain in (("inhibition", False), ("state_quant", False), ("graded_spikes_factor", 1.0)):
        if _numbers(getattr(module, setting, plain) or 0.0) != plain:
            raise _Unfit(f"Leaky with {setting}", "a chip's neuron has no such thing", f"use {setting}={plain}")
    leak = 1.0 - np.clip(_numbers(module.beta), 0.0, 1.0)
    threshold = math.inf if reset == "none" else _numbers(module.threshold)
    return _checked(Neuron(leak if np.ndim(leak) else float(leak), 1.0, threshold, strict=True))


def _braincog(module: Any) -> Neuron:
    if module.__class__.__name__ not in ("IFNode", "LIFNode"):
        raise _Unfit(None, "its dynamics are none of a chip's leaky integrate-and-fire", "use LIFNode or IFNode")
    if getattr(module, "groups", 1) != 1 or getattr(module, "v_reset", 0.0):
        raise _Unfit(None, "it has weights for each step, or another reset", "use n_groups=1 and v_reset=0")
    threshold = module.threshold.detach()
    if module.__class__.__name__ == "LIFNode":
        leak = 1.0 / float(module.tau)
        return _checked(Neuron(leak, leak, float(threshold), strict=True))
    threshold = threshold.double().sigmoid() if getattr(module, "sigmoid_thres", False) else threshold
    return _checked(Neuron(0.0, float(getattr(module, "dt", 1.0)), float(threshold), strict=True))


_READERS = {"sj": _spikingjelly, "snntorch": _snntorch, "braincog": _braincog}


def _checked(found: Neuron) -> Neuron:
    if not np.all(np.asarray(found.threshold) > 0):
        what = f"threshold at or below reset (by {-np.min(found.threshold):g})"
        raise _Unfit(what, "it would fire without input", "use a threshold above the reset value")
    return found


def _same(kind: type, known: type) -> bool:
    """The known class, or one made from it without other dynamics."""
    return issubclass(kind, known) and all(getattr(kind, n, None) is getattr(known, n, None) for n in _DYNAMICS)


def _named(module: nn.Module, home: str, name: str) -> bool:
    return any(kind.__module__ == home and kind.__name__ == name for kind in type(module).__mro__)


def _numbers(value: Any) -> float | Array:
    if isinstance(value, Tensor):
        array = value.detach().cpu().double().numpy().reshape(-1)
        return float(array[0]) if array.size == 1 else array
    return float(value)
