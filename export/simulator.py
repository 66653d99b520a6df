"""The chip's arithmetic, bit for bit: what lava-dl 0.6.0 computes with a network on its fixed-point simulator.

Results are aligned (row t belongs to the input's row t, the latency of one step a layer is taken off) and every sample
begins at rest, as on the chip with reset_interval=T and reset_offset=1. Source of the rules: lava-nc 0.10.0
`proc/lif/models.py`, checked spike for spike against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from export.chip import Chip, ChipLayer
from export.fitting import fits
from export.network import Shape
from export.running import currents, fire, run
from export.synapses import sums

Values = NDArray[np.float64]
Neurons = Callable[[ChipLayer, torch.Tensor], torch.Tensor]

_HALF = 1 << 23  # u and v are 24-bit numbers
_TOGETHER = 1 << 23  # neuron steps in memory at once


def simulate(chip: Chip, spikes: ArrayLike, probes: Iterable[str] = ()) -> dict[str, Values]:
    """Spikes of the last layer and of each one named in `probes`, float64, in the layout of the module's own outputs.

    spikes: (T, N, C, H, W) or (T, N, F), the module's input. Results (T, N, ...); a read-out's are real values, scaled
    back: x[t] of a real-valued layer, w[t] of a membrane.
    """
    return run_chain(chip, spikes, probes, on_chip)


def run_chain(chip: Chip, spikes: ArrayLike, probes: Iterable[str], neurons: Neurons) -> dict[str, Values]:
    """`simulate` with other neurons: a function of a layer and its sums (T, N, *shape) int64 to what leaves it."""
    given = np.asarray(spikes)
    check_input(chip, given)
    wanted = set(probes)
    names = _names(chip)
    if unknown := sorted(wanted - set(names)):
        raise ValueError(f"probes name layers of the network, {', '.join(names)}; {unknown[0]!r} is none of them")
    steps, samples = given.shape[:2]
    largest = max([layer.neurons for layer in chip.layers] + [int(np.prod(chip.input_shape))])
    together = max(1, _TOGETHER // max(1, steps * largest))
    parts = [_simulate(chip, given[:, n : n + together], wanted, neurons) for n in range(0, samples, together)]
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}


def _names(chip: Chip) -> list[str]:
    encoder = [layer.name for layer in chip.encoder.layers] if chip.encoder else []
    readout = [chip.readout.name] if chip.readout else []
    return encoder + [layer.name for layer in chip.layers] + readout


def _simulate(chip: Chip, given: Values, wanted: set[str], neurons: Neurons) -> dict[str, Values]:
    names = _names(chip)
    keep = wanted | {names[-1]} | set(chip.sources)
    kept: dict[str, Values] = {}
    if chip.encoder is not None:
        inner = [layer.name for layer in chip.encoder.layers]
        kept |= run(chip.encoder, given, [name for name in inner if name in keep])
        given = kept[inner[-1]]
    steps, samples = given.shape[:2]
    frames = torch.from_numpy(np.ascontiguousarray(given)).to(torch.int64)
    frames = frames.reshape(steps * samples, *chip.frame_shape)
    for layer in chip.layers:
        values = neurons(layer, sums(layer, frames).reshape(steps, samples, *layer.shape))
        if layer.name in keep:
            kept[layer.name] = _own(layer, values)
        frames = values.flatten(0, 1)
    if chip.readout is not None:
        kept[chip.readout.name] = _on_the_host(chip, kept)
    result = {name: kept[name] for name in names if name in wanted or name == names[-1]}
    result[names[-1]] = result[names[-1]].reshape(steps, samples, *chip.output_shape)
    return result


def on_chip(layer: ChipLayer, a: torch.Tensor) -> torch.Tensor:
    """a: (T, N, *shape) int64 -> spikes, v after the step (membrane) or a itself (sigma), the same shape.

    Sigma gives the sum of a over the steps; its difference from step to step, which the host takes, is a.
    """
    if layer.output == "sigma":
        return a
    keep_u, keep_v = (4096 - _each_channel(layer, decay) for decay in (layer.i_decay, layer.v_decay))
    threshold = _each_channel(layer, layer.v_threshold) << 6
    bias = 0 if layer.bias is None else _each_channel(layer, layer.bias) << 6
    out = torch.empty_like(a)
    u, v = torch.zeros_like(a[0]), torch.zeros_like(a[0])
    for t in range(len(a)):
        u = _wrapped(_decayed(u, keep_u) + (a[t] << 6))
        v = (_decayed(v, keep_v) + u + bias).clamp_(1 - _HALF, _HALF - 1)
        fires = v > threshold
        v = v.masked_fill(fires, 0)
        out[t] = v if layer.output == "membrane" else fires
    return out


def _each_channel(layer: ChipLayer, values: int | NDArray[np.integer]) -> torch.Tensor:
    """One number, one a channel or one a neuron, so that it broadcasts over (N, *shape)."""
    tensor = torch.from_numpy(np.asarray(values, np.int64))
    if tensor.ndim == 1 and tensor.numel() > 1:
        return tensor.reshape(-1, *[1] * (len(layer.shape) - 1))
    return tensor.reshape(()) if tensor.numel() == 1 else tensor


def _decayed(state: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """state keep / 4096, rounded towards zero."""
    if keep.ndim == 0 and int(keep) in (0, 4096):
        return state if int(keep) else torch.zeros_like(state)
    product = state * keep
    return (product + ((product >> 63) & 4095)) >> 12


def _wrapped(u: torch.Tensor) -> torch.Tensor:
    """As a 24-bit register holds it: once around."""
    u = torch.where(u > _HALF, u - 2 * _HALF, u)
    return torch.where(u <= -_HALF, u + 2 * _HALF, u)


def _own(layer: ChipLayer, values: torch.Tensor) -> Values:
    """(T, N, *chip shape) -> the module's own values (T, N, *own shape), read-outs in the module's units."""
    own = values.flatten(2)[:, :, torch.from_numpy(layer.layout.places())]
    result = own.reshape(*own.shape[:2], *layer.layout.shape).numpy().astype(np.float64)
    if layer.output == "spikes":
        return result
    unit = np.asarray(layer.gain) / np.asarray(layer.scale) / (64.0 if layer.output == "membrane" else 1.0)
    result = result * (unit if unit.ndim == 0 else unit.reshape(-1, *[1] * (len(layer.layout.shape) - 1)))
    return result if layer.host_bias is None else result + _over_channels(layer.host_bias, layer.layout.shape)


def _on_the_host(chip: Chip, kept: dict[str, Values]) -> Values:
    """What the module's last layer makes, in float64, of its sources' spikes."""
    assert chip.readout is not None
    values = {i: torch.from_numpy(kept[name]) for i, name in enumerate(chip.sources)}
    shapes = {i: tuple(spikes.shape[2:]) for i, spikes in values.items()}
    return fire(chip.readout.neuron, currents(chip.readout, values, shapes)).numpy()


def _over_channels(bias: Values, shape: Shape) -> Values:
    return bias if bias.shape == shape else bias.reshape(-1, *[1] * (len(shape) - 1))


def check_input(chip: Chip, given: NDArray[np.generic]) -> None:
    """Shape, then values: spikes, or integers within the message bits, unless the host encodes them."""
    if given.ndim < 3 or (given.size and not fits(given.shape, chip.input_shape)):
        expected = ", ".join(map(str, ("T", "N", *chip.input_shape)))
        raise ValueError(f"the network takes spikes of shape ({expected}), these are {tuple(given.shape)}")
    if given.shape[0] == 0 or given.shape[1] == 0:
        raise ValueError(f"the network needs at least one step and one sample, this input is {tuple(given.shape)}")
    if chip.encoder is not None:
        if not np.isfinite(given).all():
            raise ValueError("the input holds numbers that are not finite; give values as the module was trained with")
        return
    if chip.message_bits == 0:
        if not np.isin(given, (0, 1)).all():
            raise ValueError(
                "the chip's input is spikes, 0 or 1, and these values are others; quantise the network with "
                "inputs=... that hold such values, and it takes integers or encodes them on the host"
            )
    elif not np.array_equal(given, np.rint(given)) or np.abs(given).max() >= 1 << chip.message_bits:
        raise ValueError(
            f"the chip's input is integers of {chip.message_bits} bits, below {1 << chip.message_bits}, "
            f"these reach {np.abs(given).max():g} or are no integers; quantise with inputs=... that hold such values"
        )
