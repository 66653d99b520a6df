"""A network that was read must spike as its module did on the example: layer by layer, from the module's spikes."""

from __future__ import annotations

import torch
from torch import Tensor

from export.assembly import Found
from export.network import INPUT, Network
from export.refusal import Fault, Refusal
from export.running import currents, fire
from export.tracing import Trace

_TIES = 2  # spikes that may differ, and the share: float32 sums in another order, at the threshold
_SHARE = 0.01
_SAMPLES = 2  # of the example, so that a large one costs no more


def check(trace: Trace, network: Network, example: Tensor) -> None:
    """Raises Refusal for layers whose spikes differ from the module's, which would be a mistake of ours."""
    shapes = {INPUT: network.input_shape, **{i: layer.shape for i, layer in enumerate(network.layers)}}
    example = example[:, :_SAMPLES]
    values = {INPUT: example.detach().cpu().double().reshape(*example.shape[:2], *network.input_shape)}
    known = {layer.name: layer for layer in trace.layers}
    faults = []
    for index, layer in enumerate(network.layers):
        values[index] = fire(layer.neuron, currents(layer, values, shapes))
        theirs = _seen(trace, known.get(layer.name), values[index])
        if theirs is None:
            continue
        different = int((theirs != values[index]).sum())
        if different > max(_TIES, _SHARE * theirs.numel()):
            why = f"{different} of its {theirs.numel()} spikes on the example differ from what was read"
            faults.append(Fault(layer.name, "a layer that reading misunderstands", why, "please report it"))
        values[index] = theirs
    if faults:
        raise Refusal(faults)


def _seen(trace: Trace, layer: Found | None, like: Tensor) -> Tensor | None:
    """The module's own spikes (T, N, *shape) of a layer, where it shows each neuron once."""
    if layer is None or not layer.seen or layer.gather is None or len(layer.gather) != layer.signal.size:
        return None
    rows = torch.cat([s.detach().cpu().double().reshape(-1, len(layer.gather)) for s in layer.seen])
    whole = len(rows) == trace.steps * trace.batch
    if not whole or (layer.gather.sort().values != torch.arange(len(layer.gather))).any():
        return None
    neurons = torch.empty_like(rows).index_copy_(1, layer.gather, rows)
    return neurons.reshape(trace.steps, trace.batch, -1)[:, :_SAMPLES].reshape(like.shape)
