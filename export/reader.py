"""A torch module as a Network of a chip's layers, or a refusal with every layer that cannot be one.

The module runs once on the example, in eval mode and from fresh states, and every tensor is followed from the input to
the output; it is left as it was.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from export import assembly, neurons
from export.checking import check
from export.folding import CannotFold
from export.network import Layer, Network
from export.neuron_rules import SeveralSteps, called
from export.refusal import Fault, Refusal
from export.restoring import untouched
from export.rules import follow
from export.signals import Mixed, Note, Signal, Tag, rows_of
from export.tracing import Trace, tensors


def read(module: nn.Module, example_input: Tensor) -> Network:
    """The layers of a module that is made of SpikingJelly's and torch's.

    example_input: (T, N, ...) as for the module, which may also loop over the steps itself, or take one step (N, ...)
    at a time. Raises Refusal (a ValueError) with one line for each layer that a chip cannot run (of a network without
    spikes each that passes real values on), and ValueError for an example that does not fit, a batch norm that was
    never trained and a module without spiking layers.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"expected a torch module, got {type(module).__name__}; give the network itself")
    found = {part: n for part in module.modules() if (n := neurons.find(part)) is not None}
    found = {part: n for part, n in found.items() if not _inside_another(part, found)}
    example = _example(module, example_input)
    root = type(module).__name__
    with untouched(module), torch.no_grad():
        trace, output = _traced(module, example, found)
    faults = trace.faults if found else [*trace.faults, *_passing_real_values(trace, output)]
    if faults:
        raise Refusal(faults)
    if not found:
        raise ValueError(f"expected at least one spiking layer in {root}, got none: add IF, LIF or PLIF neurons")
    _trained(module)
    network = _network(trace, output, module)
    _finite(network)
    if example.dtype in (torch.float32, torch.float64):
        check(trace, network, example)
    return network


def _example(module: nn.Module, example: Tensor) -> Tensor:
    if not isinstance(example, Tensor) or example.dim() < 3 or not all(example.shape):
        came = tuple(example.shape) if isinstance(example, Tensor) else type(example).__name__
        raise ValueError(f"expected an example input of shape (T, N, ...) with every size above 0, got {came}")
    weights = next((p for p in module.parameters() if p.is_floating_point()), None)
    like = example if example.is_floating_point() else example.float()
    return like.detach().clone() if weights is None else like.detach().to(weights.device, weights.dtype, copy=True)


def _traced(module: nn.Module, example: Tensor, found: dict[nn.Module, neurons.Found]) -> tuple[Trace, Any]:
    """One run with all steps at once; where neurons take one step at a time and it fails, one run step by step."""
    try:
        return _run(module, example, found, False)
    except Exception as problem:
        if all(n.steps for n in found.values()):
            raise _unfit(example, problem) from problem
        try:
            return _run(module, example, found, True)
        except Exception as second:
            first = second if isinstance(problem, SeveralSteps) else problem
            raise _unfit(example, first) from first


def _run(
    module: nn.Module, example: Tensor, found: dict[nn.Module, neurons.Found], step_by_step: bool
) -> tuple[Trace, Any]:
    _fresh(module)
    trace = Trace(module, example, found, follow, called)
    with trace.hooked(), trace:
        return trace, torch.stack([_first(module(x)) for x in example]) if step_by_step else module(example)


def _first(output: Any) -> Tensor:
    return tensors(output)[0]


def _unfit(example: Tensor, problem: Exception) -> ValueError:
    if isinstance(problem, SeveralSteps):
        reason = f"{problem} takes one step at a time and was handed all"
    else:
        reason = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
    return ValueError(
        f"expected an example input (T, N, ...) that the module takes, got {tuple(example.shape)}: {reason}"
    )


def _fresh(module: nn.Module) -> None:
    """Reset the states of all neurons."""
    for part in module.modules():
        names = ("reset",) if hasattr(part, "_memories") else ("n_reset", "reset_mem", "reset")
        known = hasattr(part, "_memories") or neurons.family(part) in ("snntorch", "braincog")
        method = next((m for n in names if callable(m := getattr(part, n, None))), None)
        if known and method is not None:
            method()


def _inside_another(part: nn.Module, found: dict[nn.Module, neurons.Found]) -> bool:
    return any(part is not other and any(part is child for child in other.modules()) for other in found)


def _trained(module: nn.Module) -> None:
    names = [name for name, part in module.named_modules() if isinstance(part, _BatchNorm) and _untrained(part)]
    if names:
        raise ValueError(
            f"expected trained batch norms, got {', '.join(names)} which saw no batch: train or load first"
        )


def _finite(network: Network) -> None:
    def finite(layer: Layer) -> bool:
        values = [synapses.map.weight for synapses in layer.synapses] + ([] if layer.bias is None else [layer.bias])
        return all(np.isfinite(array).all() for array in values)

    names = [layer.name for layer in network.layers if not finite(layer)]
    if names:
        raise ValueError(f"expected finite weights, got NaN or infinity onto {', '.join(names)}: train or load others")


def _untrained(norm: _BatchNorm) -> bool:
    if norm.num_batches_tracked is None or int(norm.num_batches_tracked):
        return False
    return bool((norm.running_mean == 0).all() and (norm.running_var == 1).all())


def _network(trace: Trace, output: Any, module: nn.Module) -> Network:
    tags = [(t, trace.tag(t)) for t in tensors(output)]
    shown = next(((t, tag) for t, tag in tags if isinstance(tag, Tag) and trace.base(tag)[0] is not None), None)
    if shown is None:
        why = "its output does not come from the input through operations that can be followed"
        raise Refusal([Fault(trace.root, type(module).__name__, why, "use layers of torch and SpikingJelly")])
    tensor, tag = shown
    base, notes = trace.base(tag)
    if any(base is layer.membrane for layer in trace.layers):
        raise Refusal([note.fault for note in notes[:1] if note.fault is not None])
    spiking = [layer for layer in trace.layers if layer.gather is not None]
    if base is trace.source.signal:
        raise ValueError(f"expected a spiking layer between input and output of {trace.root}, got none")
    shape, notes = _output(trace, tag, base, tensor, notes)
    try:
        network = assembly.network(trace.layers, trace.source, base, shape, notes, trace.root)
    except CannotFold as problem:
        raise Refusal([Fault(trace.root, "a skip of spikes", problem.why, problem.instead)]) from problem
    if not {layer.name for layer in spiking} & {layer.name for layer in network.layers}:
        raise ValueError(f"expected a spiking layer between input and output of {trace.root}, got none")
    return network


def _passing_real_values(trace: Trace, output: Any) -> list[Fault]:
    """What stands where neurons should, in a network without any: between its maps, not after the last of them."""
    tags = [tag for t in tensors(output) if isinstance(tag := trace.tag(t), Tag)]
    notes = [note for tag in tags for note in trace.base(tag)[1]]
    maps = [i for i, note in enumerate(notes) if note.fault is None]
    return [note.fault for note in notes[: max(maps, default=0)] if note.fault is not None]


def _output(
    trace: Trace, tag: Tag, base: Signal, tensor: Tensor, notes: tuple[Note, ...]
) -> tuple[tuple[int, ...], tuple[Note, ...]]:
    """Shape of one step's output, and notes without those that say nothing new."""
    if tag.index is not None and tag.signal is base:
        for lead in (2, 1, 0):
            try:
                rows = rows_of(tag.index, lead, base.size) if tag.index.dim() > lead else None
            except Mixed:
                continue
            if rows is not None and rows.plain and len(rows.gather) == base.size:
                return tuple(tensor.shape[lead:]), tuple(n for n in notes if n not in tag.moves)
    shapes = [term.shape for term in base.terms]
    if base.real:
        return shapes[0], notes
    source = trace.layers[base.terms[0].source]
    return source.shape, notes
