"""NIR files (neuroir.org) that SpikingJelly, snnTorch and norse run to the same spikes as the network.

NIR is continuous in time and every framework steps it in its own way; these forms mean one thing in all three:

    dt = 1e-4    v' = (1 - leak) v + x = CubaLIF(tau_syn=dt, w_in=1, tau_mem=dt / leak, r=tau_mem / dt)
    no leak      the same with tau_mem = 1e9 dt, whose leak float32 cannot see
    >= and >     NIR fires above its threshold, so that a neuron which fires at it gets threshold (1 - 1e-6)
    flatten      Flatten(-3, -1), since some count the batch as an axis and some do not

The gain is in the threshold, the reset is 0, thresholds that differ by channel are in the weights, groups are written
out. NIR has no transposed convolution and no reshape: what is written is the chain of `lowering.py`, and the file's
metadata say where the module's own values lie in what leaves it. Needs the extra `nir`.
"""

from __future__ import annotations

import io
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.chip import as_image
from export.lowering import Link, lower
from export.network import Array, Network, Neuron, Shape
from export.nir_kernels import squared, ungrouped, with_constants
from export.together import write_together

DT = 1e-4  # seconds a time step; snnTorch knows no other
NO_LEAK = 1e9  # tau_mem of a neuron without leak, in steps
TIE = 1e-6  # how far, relative, a threshold is lowered so that meeting it is passing it


def write_nir(network: Network, path: str | Path) -> Path:
    """Write the network as NIR and return the path; an existing file is replaced, the same network gives equal bytes.

    Raises ValueError, one sentence that begins with a layer's name, for what NIR or a stock layer cannot say.
    """
    nir = nir_package()
    graph = _graph(network)
    content = io.BytesIO()
    nir.write(content, graph)
    path = Path(path)
    write_together({path: lambda beside: beside.write_bytes(content.getvalue())})
    return path


def nir_package() -> Any:
    """The package `nir`, or a sentence of how to get it."""
    try:
        import nir
    except ModuleNotFoundError as error:
        raise ValueError("NIR files need the package nir; install it with: pip install 'neurogen[nir]'") from error
    return nir


def _graph(network: Network) -> Any:
    import nir

    links, ones = with_constants(lower(network), network.input_shape)
    nodes: dict[str, Any] = {}
    flat = links[0].kind == "dense"
    shape = network.input_shape if flat else as_image(network.input_shape)
    shape = (shape[0] + ones, *shape[1:])
    nodes["input"] = nir.Input({"input": np.array(shape)})
    for index, link in enumerate(links):
        if link.kind == "dense" and len(shape) > 1:
            nodes[f"flatten_{index}"] = nir.Flatten({"input": np.array(shape)}, start_dim=-len(shape), end_dim=-1)
        weight, bias, neuron = _plain(link)
        nodes[f"synapses_{index}"] = _synapses(link, weight, bias, shape)
        if neuron is not None:
            nodes[f"neurons_{index}"] = _neurons(link, neuron)
            nodes[f"neurons_{index}"].metadata = {"name": link.name}
        shape = link.shape
    nodes["output"] = nir.Output({"output": np.array(shape)})
    names = list(nodes)
    metadata = {
        "dt": DT,
        "input_shape": np.array(network.input_shape),
        "output_shape": np.array(network.output_shape),
        "input_ones": int(ones),
        "output_places": links[-1].layout.places(),
        "writer": f"neurogen {version('neurogen')}",
    }
    return nir.NIRGraph(nodes, list(pairwise(names)), metadata)


def _plain(link: Link) -> tuple[Array, Array | None, Neuron | None]:
    """Weights without groups, bias, and neurons with gain 1 and one threshold."""
    rows = ungrouped(link)
    bias, neuron = link.bias, link.neuron
    if neuron is None:
        return rows, bias, None
    silent = np.isinf(np.asarray(neuron.threshold))
    if silent.all():
        return rows, bias, neuron
    if silent.any():
        raise ValueError(
            f"{link.name}: expected neurons that all fire or all never do, got both; NIR has one kind of neuron a node"
        )
    leak, theta = np.asarray(neuron.leak, np.float64), np.asarray(neuron.threshold, np.float64) / neuron.gain
    if leak.ndim:
        leak = _without_relays(leak, link.channels)
    if theta.ndim and (theta == theta.flat[0]).all():
        theta = np.asarray(theta.flat[0])
    if theta.ndim:
        rows = rows / theta.reshape(-1, *[1] * (rows.ndim - 1))
        bias = None if bias is None else bias / theta.reshape(-1, *[1] * (bias.ndim - 1))
        theta = np.asarray(1.0)
    return rows, bias, Neuron(leak if leak.ndim else float(leak), 1.0, float(theta), neuron.strict)


def _without_relays(leak: Array, channels: NDArray[np.int64]) -> Array:
    """The layer's own leak where it has one: a relay fires on each of its spikes and is 0 before, whatever it leaks."""
    own = leak[channels >= 0]
    return np.asarray(own[0]) if (own == own[0]).all() else leak


def _synapses(link: Link, weight: Array, bias: Array | None, shape: Shape) -> Any:
    import nir

    if link.kind == "dense":
        return nir.Linear(_small(weight)) if bias is None else nir.Affine(_small(weight), _small(bias))
    weight, stride, padding = squared(link, weight, shape)
    return nir.Conv2d(
        input_shape=(shape[1], shape[2]),
        weight=_small(weight),
        stride=stride,
        padding=padding,
        dilation=link.dilation,
        groups=1,
        bias=_small(np.zeros(len(weight)) if bias is None else bias),
    )


def _neurons(link: Link, neuron: Neuron) -> Any:
    """CubaLIF, or for neurons that never fire LI (I without leak), each parameter in the neurons' shape."""
    import nir

    def full(values: float | Array) -> Array:
        values = np.asarray(values, np.float64)
        return np.broadcast_to(values.reshape(-1, *[1] * (len(link.shape) - 1)), link.shape).copy()

    leak, gain = full(neuron.leak), full(neuron.gain)
    if np.isinf(np.asarray(neuron.threshold)).all():
        if not leak.any():
            return nir.I(r=gain / DT)
        return nir.LI(tau=DT / leak, r=gain / leak, v_leak=np.zeros(link.shape))
    with np.errstate(divide="ignore"):
        steps = np.minimum(1 / leak, NO_LEAK)
    threshold = neuron.threshold if neuron.strict else neuron.threshold * (1 - TIE)
    return nir.CubaLIF(
        tau_syn=full(DT),
        tau_mem=steps * DT,
        r=steps,
        v_leak=np.zeros(link.shape),
        v_threshold=full(threshold),
        v_reset=np.zeros(link.shape),
        w_in=full(1.0),
    )


def _small(values: Array) -> NDArray[Any]:
    """As float32 where that loses nothing."""
    narrow = values.astype(np.float32)
    return narrow if (narrow == values).all() else np.asarray(values, np.float64)
