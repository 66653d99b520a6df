"""The same input through the float network, through the chip's integers in exact arithmetic, and through the chip.

float       the network as it was trained, in float64
quantised   weights, biases, thresholds and leaks on the chip's grid; membranes are real numbers without bounds
simulated   the chip, bit for bit

What the first two do not share was lost by rounding weights; what the last two do not share, by the chip's arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from export.chip import Chip, ChipLayer
from export.network import Network
from export.running import along_channels, run
from export.simulator import Neurons, on_chip, run_chain

Values = NDArray[np.float64]


@dataclass(frozen=True)
class SpikeAgreement:
    """entries: neurons x steps x samples; spikes: of the float network; the rest: entries in which two ways differ."""

    entries: int
    spikes: int | None
    float_quantised: int | None
    quantised_simulated: int
    float_simulated: int | None


@dataclass(frozen=True)
class ValueAgreement:
    """Of real values: root mean square of the simulated ones, and of the difference between two ways."""

    rms: float
    float_quantised: float | None
    quantised_simulated: float
    float_simulated: float | None


@dataclass(frozen=True, eq=False)
class Runs:
    """What each layer makes, by name, (T, N, ...); `float` is None without a network."""

    float: dict[str, Values] | None
    quantised: dict[str, Values]
    simulated: dict[str, Values]

    def ways(self) -> dict[str, dict[str, Values]]:
        """The ways that were run, by name."""
        every = {"float": self.float, "quantised": self.quantised, "simulated": self.simulated}
        return {name: values for name, values in every.items() if values is not None}


def run_all(chip: Chip, inputs: ArrayLike, network: Network | None = None, neurons: Neurons = on_chip) -> Runs:
    """Run the input (T, N, ...) all ways; layers that only the chip has are left out of the float one.

    neurons: the chip's own, or the same with an eye on them.
    """
    names = [layer.name for layer in chip.layers]
    floats = None
    if network is not None:
        floats = run(network, inputs, [layer.name for layer in network.layers if layer.name in names])
    return Runs(floats, run_chain(chip, inputs, names, _without_rounding), run_chain(chip, inputs, names, neurons))


def spike_agreement(runs: Runs, name: str) -> SpikeAgreement:
    """Of a spiking layer."""
    quantised, simulated = runs.quantised[name], runs.simulated[name]
    floats = runs.float.get(name) if runs.float is not None else None
    return SpikeAgreement(
        simulated.size,
        None if floats is None else int(floats.sum()),
        None if floats is None else _differ(floats, quantised),
        _differ(quantised, simulated),
        None if floats is None else _differ(floats, simulated),
    )


def value_agreement(runs: Runs, name: str) -> ValueAgreement:
    """Of a read-out."""
    quantised, simulated = runs.quantised[name], runs.simulated[name]
    floats = runs.float.get(name) if runs.float is not None else None
    return ValueAgreement(
        _rms(simulated),
        None if floats is None else _rms(floats.reshape(quantised.shape) - quantised),
        _rms(quantised - simulated),
        None if floats is None else _rms(floats.reshape(simulated.shape) - simulated),
    )


def _differ(one: Values, other: Values) -> int:
    return int(np.count_nonzero(one.reshape(-1) != other.reshape(-1)))


def _rms(values: Values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _without_rounding(layer: ChipLayer, a: torch.Tensor) -> torch.Tensor:
    """a: (T, N, *shape) int64 -> what leaves the layer, with u and v in float64, in the chip's units."""
    if layer.output == "sigma":
        return a
    keep_u, keep_v, threshold, bias = (
        along_channels(torch.from_numpy(np.asarray(value, np.float64)), layer.shape)
        if np.shape(value) != layer.shape
        else torch.from_numpy(np.asarray(value, np.float64))
        for value in (
            1 - np.asarray(layer.i_decay) / 4096,
            1 - np.asarray(layer.v_decay) / 4096,
            layer.v_threshold,
            0 if layer.bias is None else layer.bias,
        )
    )
    out = torch.empty(a.shape, dtype=torch.float64 if layer.output == "membrane" else torch.int64)
    u = v = torch.zeros(a.shape[1:], dtype=torch.float64)
    for t in range(len(a)):
        u = keep_u * u + a[t]
        v = keep_v * v + u + bias
        fires = v >= threshold + 1 / 64  # the chip's v is a multiple of 1/64 and fires above the threshold
        if layer.output == "membrane":
            out[t] = 64 * v
        else:
            out[t] = fires
            v = torch.where(fires, 0.0, v)
    return out
