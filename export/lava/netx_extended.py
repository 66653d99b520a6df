"""lava-dl's netx loader with transposed convolutions, from stock lava processes. Needs Python 3.10 with lava-dl 0.6.0.

    network = ExtendedNetwork(net_config="decoder.net", reset_interval=T, reset_offset=1)

A layer of type convT holds shape (C, H, W), weight (I, O / groups, kH, kW), stride, padding, dilation, groups and
neuron, as lava-dl's slayer writes them. It becomes one Sparse connection with the kernel written out, with the latency
of one step, and the reset, of any other layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.lib.dl.netx import hdf5
from lava.lib.dl.netx.blocks.models import AbstractPyBlockModel
from lava.lib.dl.netx.blocks.process import AbstractBlock
from lava.lib.dl.netx.utils import optimize_weight_bits
from lava.magma.core.decorator import implements
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.sparse.models import csr_matrix  # scipy's, as lava has it
from lava.proc.sparse.process import Sparse


class SparseBlock(AbstractBlock):
    """(W, H, C) -> Sparse -> neurons (W, H, C)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        input_shape = tuple(kwargs.pop("input_shape"))
        weight = kwargs.pop("weight")
        # which bits all the weights need; 0 is among them
        _, bits, exponent, _ = optimize_weight_bits(np.unique(np.append(weight.data, 0)).reshape(1, -1))
        shifted = csr_matrix(
            (weight.data.astype(np.int32) << -int(exponent), weight.indices, weight.indptr), shape=weight.shape
        )
        self.synapse = Sparse(
            weights=shifted,
            weight_exp=exponent,
            num_weight_bits=bits,
            num_message_bits=self.input_message_bits,
        )
        self.neuron = self._neuron(kwargs.pop("bias", None))
        self.inp = InPort(shape=input_shape)
        self.out = OutPort(shape=self.neuron.s_out.shape)
        self.inp.flatten().connect(self.synapse.s_in)
        self.synapse.a_out.reshape(self.shape).connect(self.neuron.a_in)
        self.neuron.s_out.connect(self.out)
        self._clean()

    def export_hdf5(self, handle: Any) -> None:
        raise NotImplementedError("the file that it was loaded from is its export")


@implements(proc=SparseBlock, protocol=LoihiProtocol)
class PySparseBlockModel(AbstractPyBlockModel):
    pass


class ExtendedNetwork(hdf5.Network):
    """netx.hdf5.Network for files whose layers are input, conv, convT, flatten and dense."""

    def _create(self) -> list[Any]:
        config = self.net_config["layer"]
        layers: list[Any] = []
        bits, offset, flatten = self.input_message_bits, self.reset_offset + 1, False
        shape = tuple(self.input_shape) if self.input_shape else None  # (W, H, C)
        self.net_str = self._table_str(header=True) + "\n"
        for number in range(len(config)):
            entry = config[number]
            if entry["type"] == "input":
                shape = tuple(int(v) for v in entry["shape"][::-1])
                continue
            if entry["type"] == "flatten":
                flatten = True
                continue
            reset = {"reset_interval": self.reset_interval, "reset_offset": offset, "spike_exp": self.spike_exp}
            if entry["type"] == "conv":
                layer, row = self.create_conv(entry, input_shape=shape, input_message_bits=bits, **reset)
            elif entry["type"] == "dense":
                layer, row = self.create_dense(entry, input_message_bits=bits, **reset)
            elif entry["type"] == "convT":
                layer, row = self._transposed(entry, shape, bits, reset)
            else:
                raise NotImplementedError(f"layer {number} is {entry['type']}; convT files hold conv, convT and dense")
            if layers:
                source = layers[-1].out
                (source.transpose([2, 1, 0]).flatten() if flatten else source).connect(layer.inp)
            layers.append(layer)
            flatten, offset = False, offset + 1
            shape, bits = tuple(layer.shape), layer.output_message_bits
            self.net_str += row + "\n"
        self.net_str = self.net_str[:-1]
        return layers

    def _transposed(self, entry: Any, input_shape: Any, bits: int, reset: dict[str, Any]) -> tuple[Any, str]:
        stride, padding, dilation = (_pair(entry[name]) for name in ("stride", "padding", "dilation"))
        groups = int(entry["groups"])
        channels, height, width = (int(v) for v in entry["shape"])
        weight = unrolled(
            np.asarray(entry["weight"]), input_shape, (width, height, channels), stride, padding, dilation, groups
        )
        layer = SparseBlock(
            shape=(width, height, channels),
            neuron_params=self.get_neuron_params(entry["neuron"], **reset),
            input_shape=input_shape,
            weight=weight,
            bias=entry["bias"] if "bias" in entry.keys() else None,  # noqa: SIM118 lava-dl's NetDict has no `in`
            input_message_bits=bits,
        )
        row = self._table_str(
            "ConvT", width=width, height=height, channel=channels, kernel=np.array(entry["weight"].shape[2:]),
            stride=np.array(stride), padding=np.array(padding), dilation=np.array(dilation), groups=np.array(groups),
        )  # fmt: skip
        return layer, row


@implements(proc=ExtendedNetwork, protocol=LoihiProtocol)
class PyExtendedNetworkModel(AbstractPyBlockModel):
    pass


def unrolled(
    weight: Any,
    input_shape: tuple[int, int, int],
    shape: tuple[int, int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Any:
    """The transposed convolution as a sparse matrix (outputs, inputs), both flat in lava's order (W, H, C)."""
    in_width, in_height, inputs = input_shape
    width, height, outputs = shape
    y, x = (a.ravel() for a in np.meshgrid(np.arange(in_height), np.arange(in_width), indexing="ij"))
    per_in, per_out = inputs // groups, outputs // groups
    rows, columns, values = [], [], []
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            to_y = y * stride[0] - padding[0] + i * dilation[0]
            to_x = x * stride[1] - padding[1] + j * dilation[1]
            inside = (to_y >= 0) & (to_y < height) & (to_x >= 0) & (to_x < width)
            pixel_in = (x * in_height + y)[inside] * inputs
            pixel_out = (to_x * height + to_y)[inside] * outputs
            for g in range(groups):
                kernel = weight[g * per_in : (g + 1) * per_in, :, i, j]  # (I / groups, O / groups)
                c, o = (a.ravel() for a in np.meshgrid(np.arange(per_in), np.arange(per_out), indexing="ij"))
                rows.append((pixel_out[:, None] + (g * per_out + o)).ravel())
                columns.append((pixel_in[:, None] + (g * per_in + c)).ravel())
                values.append(np.tile(kernel.ravel(), len(pixel_in)))
    entries = np.concatenate(values).astype(np.int32), (np.concatenate(rows), np.concatenate(columns))
    return csr_matrix(entries, shape=(width * height * outputs, in_width * in_height * inputs))


def _pair(value: Any) -> tuple[int, int]:
    values = np.atleast_1d(np.asarray(value))
    return int(values[0]), int(values[-1])
