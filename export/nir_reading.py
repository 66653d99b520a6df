"""NIR files, ours or another framework's, as modules of SpikingJelly's layers.

Only straight chains of nodes that say the same in SpikingJelly (`nir_nodes.py`) are read; any other is refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import functional, neuron
from torch import Tensor, nn

from export.hdf5_check import check_hdf5
from export.network import Shape
from export.nir import DT, nir_package
from export.nir_nodes import MAKERS, Unfit

LARGEST = 1 << 28  # values of one layer


class NIRModule(nn.Module):
    """input_shape of one step, x: (T, N, *input_shape) spikes -> (T, N, *output_shape); membranes start at rest.

    ones: whether the nodes want a last channel of ones; places: where the outputs lie among the last node's.
    """

    def __init__(
        self, body: nn.Sequential, input_shape: Shape, frame: Shape, ones: bool, places: Tensor | None, shape: Shape
    ) -> None:
        super().__init__()
        self.body, self.input_shape, self.frame, self.ones = body, input_shape, frame, ones
        self.output_shape = shape
        self.register_buffer("places", places)

    def forward(self, x: Tensor) -> Tensor:
        functional.reset_net(self.body)
        x = x.reshape(*x.shape[:2], *self.frame)
        if self.ones:
            x = torch.cat([x, torch.ones_like(x[:, :, :1])], 2)
        y = self.body(x)
        y = torch.stack(y) if isinstance(y, list) else y  # SpikingJelly's membranes come step by step
        if self.places is not None:
            y = y.flatten(2)[:, :, self.places]
        return y.reshape(*y.shape[:2], *self.output_shape)


def read_nir(path: str | Path, dt: float | None = None, dtype: torch.dtype = torch.float32) -> NIRModule:
    """The network in a NIR file.

    dt: seconds a step; without it the file's own, or 1e-4. Raises ValueError, one sentence that names the node, for
    what SpikingJelly would not run to the same spikes, and for a file that is no NIR.
    """
    path = Path(path)
    check_hdf5(path)
    nir = nir_package()
    try:
        graph = nir.read(path, type_check=False)
        if not isinstance(graph, nir.NIRGraph):
            raise TypeError(f"its root is {type(graph).__name__}")
    except Exception as error:  # whatever another's parser meets in a stranger's file
        reason = " ".join(str(error).split())[:120]
        raise ValueError(
            f"{path}: expected a NIR graph, {type(error).__name__} on reading it ({reason}); write it again"
        ) from error
    try:
        return _module(graph, dt, dtype)
    except Unfit as unfit:
        raise ValueError(f"{path}: {unfit}") from None


def _module(graph: Any, dt: float | None, dtype: torch.dtype) -> NIRModule:
    chain = _chain(graph)
    metadata = graph.metadata if isinstance(graph.metadata, dict) else {}
    dt = _seconds(metadata.get("dt", DT)) if dt is None else _seconds(dt)
    first = shape = _shape(chain[0][1].input_type, chain[0][0])
    parts = nn.Sequential()
    for name, node in chain[1:-1]:
        kind = type(node).__name__
        make = MAKERS.get(kind)
        if parts and isinstance(parts[-1], (neuron.NonSpikingIFNode, neuron.NonSpikingLIFNode)):
            raise Unfit(f"node {name}: expected membranes only as the output, they go on to it; write spiking neurons")
        if make is None:
            raise Unfit(f"node {name} is a {kind}, which no layer of ours equals; known are {', '.join(MAKERS)}")
        try:
            part, shape = make(node, shape, dt)
        except Unfit as unfit:
            raise Unfit(f"node {name} ({kind}): {unfit}") from None
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
            reason = " ".join(str(error).split())[:120]
            raise Unfit(f"node {name} ({kind}) does not fit what comes before it ({reason}); write it again") from None
        if int(np.prod(shape)) > LARGEST:
            raise Unfit(f"node {name} ({kind}): expected up to {LARGEST:,} outputs, got {int(np.prod(shape)):,}")
        parts.add_module(f"{len(parts)}_{name.replace('.', '_')}", part)
    functional.set_step_mode(parts, "m")
    return _around(parts.to(dtype), metadata, first, shape)


def _around(parts: nn.Sequential, metadata: dict[str, Any], first: Shape, last: Shape) -> NIRModule:
    """What our own files say of the shapes outside; others have those of their nodes."""
    if "output_places" not in metadata:
        return NIRModule(parts, first, first, False, None, last)
    try:
        ones = bool(metadata["input_ones"])
        inside, outside = (tuple(int(n) for n in metadata[key]) for key in ("input_shape", "output_shape"))
        places = np.asarray(metadata["output_places"]).astype(np.int64)
        frame = (first[0] - ones, *first[1:])
        fits = int(np.prod(inside)) == int(np.prod(frame)) and len(places) == int(np.prod(outside))
        fits = fits and min(inside) > 0 and places.min() >= 0 and places.max() < int(np.prod(last))
    except (KeyError, TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        raise Unfit("its metadata do not fit its nodes; write it again")
    straight = np.array_equal(places, np.arange(int(np.prod(last))))
    return NIRModule(parts, inside, frame, ones, None if straight else torch.from_numpy(places), outside)


def _chain(graph: Any) -> list[tuple[str, Any]]:
    """Nodes from the input to the output, each with one before and one after it."""
    follows: dict[str, list[str]] = {name: [] for name in graph.nodes}
    before = dict.fromkeys(graph.nodes, 0)
    for source, target in graph.edges:
        if source not in follows or target not in follows:
            raise Unfit(f"expected edges between its nodes, {source!r} to {target!r} is none; write it again")
        follows[source].append(target)
        before[target] += 1
    for kind in ("Input", "Output"):
        count = sum(type(node).__name__ == kind for node in graph.nodes.values())
        if count != 1:
            raise Unfit(f"expected one {kind} node, got {count}; write one network a file")
    name = next(name for name, node in graph.nodes.items() if type(node).__name__ == "Input")
    chain = [(name, graph.nodes[name])]
    while type(graph.nodes[name]).__name__ != "Output":
        if len(follows[name]) != 1 or before[follows[name][0]] != 1 or len(chain) > len(graph.nodes):
            raise Unfit(f"expected a straight chain of nodes, it branches or ends at {name}; write one without skips")
        name = follows[name][0]
        chain.append((name, graph.nodes[name]))
    if len(chain) != len(graph.nodes):
        left = next(other for other in graph.nodes if other not in dict(chain))
        raise Unfit(f"expected every node on the way from input to output, {left} is not; remove it")
    return chain


def _shape(types: Any, name: str) -> Shape:
    values = types.get("input") if isinstance(types, dict) else None
    array = np.asarray(values if values is not None else [0])
    if array.ndim != 1 or array.dtype.kind not in "iu" or not array.size or (array < 1).any() or array.size > 4:
        raise Unfit(f"node {name}: expected a shape in whole numbers above 0, got {str(values)[:60]}")
    shape = tuple(int(n) for n in array)
    if int(np.prod(shape, dtype=object)) > LARGEST:
        raise Unfit(f"node {name}: expected up to {LARGEST:,} inputs, got {shape}")
    return shape


def _seconds(dt: Any) -> float:
    value = float(np.asarray(dt, np.float64).reshape(-1)[0])
    if not 0 < value < np.inf:
        raise Unfit(f"expected a step dt above 0 seconds, got {value:g}")
    return value
