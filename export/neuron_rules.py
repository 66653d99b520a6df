"""What a neuron makes of its input: a layer whose spikes are a new signal.

Neurons act on each entry alone, so they may see their currents in any arrangement; steps must come in order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from export import neurons
from export.assembly import Found, plain, shape_of
from export.network import INPUT, Conv, ConvTranspose, Neuron
from export.signals import Mixed, Note, Outside, Rows, Tag, indexed
from export.tracing import CONSTANT, Trace, tensors

_OTHERS = (
    "it gets its input from other weights at other steps (batch norm per step with different numbers, or a neuron used "
    "twice)"
)
_ORDER = "use the neuron once a step, on steps 1 to T in order"


def called(trace: Trace, part: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
    """Tag what a neuron returned: spikes first, then membranes."""
    found: neurons.Found = trace.neurons[part]
    inputs, outputs = tensors((args, kwargs)), tensors(result)
    before = trace.memory.get(("neuron", id(part)))
    fired = _fired(trace, part, found, trace.tag(inputs[0]), inputs[0])
    if fired is None:
        _show_unknown(trace, part, outputs, found.steps)
        return
    layer, rows = fired
    if not _own(trace, before, inputs[1:]):
        what, why = type(part).__name__, "its membrane is set from outside"
        trace.refuse(trace.fault(what, why, "hand back the membrane that it gave, and zeros at the first step"))
    never = bool(np.all(np.isinf(layer.neuron.threshold)))
    _show(trace, part, layer, rows, outputs, never)
    if isinstance(getattr(part, "v", None), Tensor) and never:
        last = rows.rows[-trace.batch :]
        trace.show(part.v, Tag(layer.signal, _index(last, rows.gather, layer.signal.size, tuple(part.v.shape))))


def _fired(trace: Trace, part: nn.Module, found: neurons.Found, tag: Any, x: Tensor) -> tuple[Found, Rows] | None:
    """The layer that a neuron is, and which of its rows it made now; None for what was refused."""
    kind = type(part).__name__
    if found.problem is not None:
        return _refused(trace, *found.problem)
    if not isinstance(tag, Tag):
        why = "its input does not come from the example through operations that can be followed"
        return _refused(trace, kind, why, "use layers of torch")
    if tag.over is not None:
        trace.refuse(tag.over.note.fault)
        return None
    if isinstance(tag.signal, Outside):
        return _behind_the_host(trace, kind, tag.signal)
    try:
        rows = trace.rows(tag, 2 if found.steps and not found.folded else 1)
    except Mixed:
        if not found.steps and _all_steps(trace, tag):
            raise SeveralSteps(trace.here) from None
        return _refused(trace, kind, "it mixes features, steps or samples", "hand it (T, N, ...)")
    return _in_order(trace, part, found, tag, rows, x)


def _refused(trace: Trace, what: str, why: str, instead: str) -> None:
    trace.refuse(trace.fault(what, why, instead))


def _behind_the_host(trace: Trace, kind: str, signal: Outside) -> None:
    """Refuse what stands between a layer and these neurons."""
    faults = [note.fault for note in signal.notes if note.fault is not None]
    if not faults and signal.base is not None:
        words = "; ".join(note.words for note in signal.notes)
        why = f"its input is made by what only the host can do ({words})"
        faults = [trace.fault(kind, why, "put neurons right behind a convolution or dense layer")]
    trace.faults.extend(faults)


def _in_order(
    trace: Trace, part: nn.Module, found: neurons.Found, tag: Tag, rows: Rows, x: Tensor
) -> tuple[Found, Rows] | None:
    kind, layer = type(part).__name__, trace.memory.get(("neuron", id(part)))
    step = layer.calls if layer else 0
    count = trace.steps if found.steps else 1
    wanted = torch.arange(step * trace.batch, (step + count) * trace.batch)
    still = trace.still and all(term.source == INPUT for term in tag.signal.terms)
    now = rows.rows % trace.batch if still else rows.rows
    want = wanted % trace.batch if still else wanted
    if now.shape != want.shape or (now != want).any():
        if not found.steps and len(rows.rows) == trace.steps * trace.batch and not step:
            raise SeveralSteps(trace.here)
        return _refused(trace, kind, "it sees steps twice, too few or out of order", _ORDER)
    if layer is None:
        lead = 1 if found.folded or not found.steps else 2
        layer = trace.memory["neuron", id(part)] = _layer(trace, found.neuron, tag, rows, x, lead)
    elif layer.feeds is not tag.signal or not torch.equal(layer.gather, rows.gather):
        return _refused(trace, kind, _OTHERS, "use the same weights at every step, and each neuron once")
    layer.calls += count
    return layer, replace(rows, rows=wanted)


def _all_steps(trace: Trace, tag: Tag) -> bool:
    if tag.index is None or tag.index.dim() < 3 or tag.index.shape[:2] != (trace.steps, trace.batch):
        return False
    try:
        return len(trace.rows(tag, 2).rows) == trace.steps * trace.batch
    except Mixed:
        return False


class SeveralSteps(Exception):
    """A neuron for one step was handed all steps at once."""


def _layer(trace: Trace, neuron: Neuron, tag: Tag, rows: Rows, x: Tensor, lead: int) -> Found:
    feeds = tag.signal
    shapes = [term.shape for term in feeds.terms if isinstance(term.map, (Conv, ConvTranspose))]
    shape = shapes[0] if shapes else shape_of(x.shape[lead:])
    if not shapes and int(np.prod(shape)) != feeds.size:
        shape = (feeds.size,)
    index = len(trace.layers)
    signal = plain(trace.here, index, feeds.size, shape)
    layer = Found(trace.here, signal, shape, bool(shapes), feeds, neuron, gather=rows.gather)
    trace.layers.append(layer)
    return layer


def _show(trace: Trace, part: nn.Module, layer: Found, rows: Rows, outputs: list[Tensor], never: bool) -> None:
    """Tag spikes, and the membranes that snnTorch hands out beside them."""
    if never and neurons.family(part) != "snntorch":
        _show_read_out(trace, part, layer, rows, outputs)
        return
    for position, tensor in enumerate(outputs):
        shown = Tag(layer.signal, _index(rows.rows, rows.gather, layer.signal.size, tuple(tensor.shape)))
        if position == 0:
            trace.show(tensor, CONSTANT if never else shown)
            layer.seen.extend([] if never else [tensor])
        else:
            trace.show(tensor, shown if never else _membrane(trace, layer))


def _membrane(trace: Trace, layer: Found) -> Tag:
    """What no chip's layer passes on while it fires; it may go back into the same neuron."""
    if layer.membrane is None:
        layer.membrane = plain(layer.name, trace.layers.index(layer), layer.signal.size, layer.shape)
    what = f"the membrane of {layer.name}"
    fault = trace.fault(what, "a chip's layer passes on spikes", "use the spikes, or a last neuron that never fires")
    return Tag(Outside(layer.membrane, (Note(what, fault),)))


def _own(trace: Trace, layer: Found | None, states: list[Tensor]) -> bool:
    """Whether a neuron gets back the membrane that it gave before, or at the first step a constant."""
    for state in states:
        tag = trace.tag(state)
        if layer is None and tag is CONSTANT:
            continue
        mine = (layer.membrane, layer.signal) if layer is not None else ()
        if not isinstance(tag, Tag) or not any(trace.base(tag)[0] is one for one in mine):
            return False
    return True


def _show_read_out(trace: Trace, part: nn.Module, layer: Found, rows: Rows, outputs: list[Tensor]) -> None:
    """SpikingJelly's neurons that never fire return all membranes as a list, or decode them."""
    size, batch = layer.signal.size, trace.batch
    decode = getattr(part, "decode", None)
    if len(outputs) == trace.steps and decode not in ("last_mem", "mean-mem", "max-mem", "max-abs-mem"):
        for t, membrane in enumerate(outputs):
            now = rows.rows[t * batch : (t + 1) * batch]
            trace.show(membrane, Tag(layer.signal, _index(now, rows.gather, size, tuple(membrane.shape))))
        return
    if decode == "last_mem":
        index = _index(rows.rows[-batch:], rows.gather, size, tuple(outputs[0].shape))
        trace.show(outputs[0], Tag(layer.signal, index))
    elif decode is not None:
        words = {"mean-mem": "mean", "max-mem": "largest value", "max-abs-mem": "value of largest size"}[decode]
        fault = trace.fault(
            f"{type(part).__name__} with decode", "neurons after it would have no steps", "use no decode"
        )
        trace.show(
            outputs[0], Tag(Outside(layer.signal, (Note(f"the {words} of the membrane over the steps", fault),)))
        )
    else:  # a firing neuron whose threshold is infinite
        trace.show(outputs[0], CONSTANT)


def _index(rows: Tensor, gather: Tensor, size: int, shape: tuple[int, ...]) -> Tensor:
    whole = rows[:, None] * size + gather
    return torch.where(gather < 0, -1, whole).double().reshape(shape)


def _show_unknown(trace: Trace, part: nn.Module, outputs: list[Tensor], steps: bool) -> None:
    """As if the output were spikes of a layer that nothing else is known of, the same one at every step."""
    spikes, others = outputs[0], outputs[1:]
    for other in others:
        trace.show(other, Tag(Outside(None)))
    lead = 2 if steps and spikes.shape[:2] == (trace.steps, trace.batch) else 1
    count = int(np.prod(spikes.shape[:lead]))
    if spikes.dim() < 2 or count % trace.batch:
        trace.show(spikes, Tag(Outside(None)))
        return
    layer = trace.memory.get(("neuron", id(part)))
    if layer is not None and layer.signal.size == int(np.prod(spikes.shape[lead:])):
        signal, start = layer.signal, layer.calls * trace.batch
    else:
        signal, start = trace.unknown((part, tuple(spikes.shape[lead:])), spikes.shape[lead:]), 0
    start = trace.memory.get(("calls", id(part)), start)
    trace.memory["calls", id(part)] = start + count
    rows = torch.arange(start, start + count) % (trace.steps * trace.batch)
    trace.show(spikes, Tag(signal, indexed(rows, signal.size, tuple(spikes.shape))))
