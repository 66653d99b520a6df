"""What a network is and does on the chip: its size, its activity and energy on real samples, and a proof of agreement.

Plain numbers in frozen dataclasses; `to_dict` is what `report.json` holds, `page.py` shows it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from export.activity import Activity, Counter
from export.agreement import SpikeAgreement, ValueAgreement, run_all, spike_agreement, value_agreement
from export.chip import Chip, ChipLayer
from export.cost import Connections, Cores, Reach, connections, cores, input_shapes, reach
from export.energy import LEFT_OUT, SPIKING, Energy, Work, dense_microjoules, energy
from export.limits import LOIHI2, Limits
from export.network import Network, Shape
from export.simulator import check_input

Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class LayerReport:
    """One layer on the chip.

    shape: (C, H, W) or (F,) of its frame, own_shape: of the module's layer; relays: neurons that only carry earlier
    spikes on; own_weights: numbers that are not zero in the module's kernels, None where it is not known; weights,
    synapses, fan_in: see `cost.py`; ranges: smallest and largest integer; scale: chip units in one
    float unit, smallest and largest; rate: spikes of a neuron and step; spikes, accumulates, updates: of a sample.
    """

    name: str
    kind: str
    output: str
    shape: Shape
    own_shape: Shape
    neurons: int
    relays: int
    own_weights: int | None
    weights: int
    synapses: int
    fan_in: int
    weight_range: Range
    bias_range: Range
    threshold_range: Range
    decay_range: Range
    scale: Range
    reach: Reach
    cores: Cores
    rate: float | None
    spikes: float
    accumulates: float
    updates: int
    agreement: SpikeAgreement | None


@dataclasses.dataclass(frozen=True)
class Totals:
    """Over all layers; spikes, accumulates, updates and dense operations (every synapse at every step) of a sample."""

    neurons: int
    weights: int
    synapses: int
    cores: Cores
    chips: Cores
    spikes: float
    accumulates: float
    updates: int
    dense_operations: int


@dataclasses.dataclass(frozen=True)
class Report:
    """steps, samples: of the inputs; latency in steps; readout: of the last layer, where its values are real.

    outputs: what the network gives (T, N, ...), by way: "float", "quantised", "simulated"; not part of `to_dict`.
    """

    chip: Limits
    loader: str
    steps: int
    samples: int
    latency: int
    reset_interval: int
    reset_offset: int
    message_bits: int
    host: tuple[str, ...]
    layers: tuple[LayerReport, ...]
    totals: Totals
    agreement: SpikeAgreement
    readout: ValueAgreement | None
    energy: tuple[Energy, ...]
    dense_microjoules: float
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]
    outputs: Mapping[str, NDArray[np.float64]] = dataclasses.field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(dataclasses.replace(self, outputs={}), dict_factory=_without_outputs)


def report(chip: Chip, inputs: ArrayLike, network: Network | None = None, limits: Limits = LOIHI2) -> Report:
    """Everything that can be said of a chip, with samples (T, N, ...) of the module's input.

    network: what it was quantised from; without it there is no comparison with floats. Raises ValueError for inputs
    that do not fit.
    """
    given = np.asarray(inputs)
    check_input(chip, given)
    sources = input_shapes(chip)
    found = [connections(layer, shape) for layer, shape in zip(chip.layers, sources, strict=True)]
    counter = Counter(chip, found, given)
    runs = run_all(chip, given, network, counter)
    steps, samples = given.shape[:2]
    agreements = [spike_agreement(runs, layer.name) if layer.output == "spikes" else None for layer in chip.layers]
    last = chip.layers[-1].name if chip.readout is None else chip.readout.name
    real = chip.readout is not None or chip.layers[-1].output != "spikes"
    largest = [max(1, int(np.abs(given).max())) if chip.message_bits else 1, *[1] * (len(chip.layers) - 1)]
    own = _own_weights(chip, network)
    layers = tuple(
        _layer(*parts, steps, samples, limits)
        for parts in zip(chip.layers, sources, found, own, counter.layers, agreements, largest, strict=True)
    )
    totals = _totals(layers, steps, limits)
    work = Work(totals.accumulates, totals.updates, totals.spikes)
    return Report(
        chip=limits,
        loader=chip.loader,
        steps=steps,
        samples=samples,
        latency=chip.latency,
        reset_interval=steps,
        reset_offset=1,
        message_bits=chip.message_bits,
        host=_host(chip),
        layers=layers,
        totals=totals,
        agreement=_together([agreement for agreement in agreements if agreement is not None]),
        readout=value_agreement(runs, last) if real else None,
        energy=tuple(energy(work, constants) for constants in SPIKING),
        dense_microjoules=dense_microjoules(totals.synapses),
        left_out=LEFT_OUT,
        warnings=_warnings(layers, totals, limits),
        outputs={way: values[last] for way, values in runs.ways().items()},
    )


def _layer(
    layer: ChipLayer,
    source: Shape,
    found: Connections,
    own_weights: int | None,
    activity: Activity,
    agreement: SpikeAgreement | None,
    largest_input: int,
    steps: int,
    samples: int,
    limits: Limits,
) -> LayerReport:
    return LayerReport(
        name=layer.name,
        kind=layer.kind,
        output=layer.output,
        shape=layer.shape,
        own_shape=layer.layout.shape,
        neurons=layer.neurons,
        relays=layer.relays,
        own_weights=own_weights,
        weights=found.weights,
        synapses=found.synapses,
        fan_in=found.fan_in,
        weight_range=_range(layer.weight),
        bias_range=_range(0 if layer.bias is None else layer.bias),
        threshold_range=_range(layer.v_threshold),
        decay_range=_range(layer.v_decay),
        scale=_range(layer.scale),
        reach=reach(layer, source, steps, largest_input),
        cores=cores(layer, found, limits),
        rate=activity.own_spikes / (layer.layout.size * steps * samples) if layer.output == "spikes" else None,
        spikes=activity.spikes / samples,
        accumulates=activity.accumulates / samples,
        updates=layer.neurons * steps,
        agreement=agreement,
    )


def _own_weights(chip: Chip, network: Network | None) -> list[int | None]:
    """Of each of the chip's layers."""
    layers = network.layers if network is not None else ()
    known = {layer.name: int(sum(np.count_nonzero(s.map.weight) for s in layer.synapses)) for layer in layers}
    return [known.get(layer.name) for layer in chip.layers]


def _totals(layers: tuple[LayerReport, ...], steps: int, limits: Limits) -> Totals:
    together = Cores(sum(one.cores.at_least for one in layers), sum(one.cores.at_most for one in layers))
    synapses = sum(one.synapses for one in layers)
    return Totals(
        neurons=sum(one.neurons for one in layers),
        weights=sum(one.weights for one in layers),
        synapses=synapses,
        cores=together,
        chips=Cores(-(-together.at_least // limits.cores), -(-together.at_most // limits.cores)),
        spikes=sum(one.spikes for one in layers),
        accumulates=sum(one.accumulates for one in layers),
        updates=sum(one.updates for one in layers),
        dense_operations=synapses * steps,
    )


def _together(agreements: list[SpikeAgreement]) -> SpikeAgreement:
    """Over layers; a way that some of them lack is left out."""

    def added(name: str) -> int | None:
        values = [getattr(one, name) for one in agreements]
        return None if None in values else sum(values)

    return SpikeAgreement(*(added(field.name) for field in dataclasses.fields(SpikeAgreement)))  # type: ignore[arg-type]


def _host(chip: Chip) -> tuple[str, ...]:
    """What is computed outside the chip, in words, in order."""
    before = [f"{layer.name}: real-valued input to spikes" for layer in chip.encoder.layers] if chip.encoder else []
    after = [f"{chip.readout.name}: spikes to real values"] if chip.readout else []
    after += [f"{layer.name}: scaled back, its bias added" for layer in chip.layers if layer.output == "sigma"]
    after += [f"{layer.name}: scaled back" for layer in chip.layers if layer.output == "membrane"]
    return (*before, *after, *chip.host)


def _warnings(layers: tuple[LayerReport, ...], totals: Totals, limits: Limits) -> tuple[str, ...]:
    """What fits the file and yet may not run as it should."""
    found = []
    for layer in layers:
        if layer.reach.v_headroom_bits < 0:
            found.append(
                f"{layer.name}: a membrane could reach {layer.reach.v:,.0f}, the chip's stops at 131,072; it does not "
                "in the samples where simulated and quantised spikes agree"
            )
        if layer.spikes == 0 and layer.output == "spikes":
            found.append(f"{layer.name}: no neuron fires in any sample")
        if limits.in_axons_per_core is not None and layer.fan_in > limits.in_axons_per_core:
            found.append(
                f"{layer.name}: {layer.fan_in:,} inputs to a neuron, a core takes {limits.in_axons_per_core:,}"
            )
    if totals.cores.at_least > limits.cores:
        found.append(f"{totals.cores.at_least:,} cores at least, {limits.name} has {limits.cores}")
    return tuple(found)


def _range(values: ArrayLike) -> Range:
    array = np.asarray(values)
    return array.min().item(), array.max().item()


def _without_outputs(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in items if key != "outputs"}
