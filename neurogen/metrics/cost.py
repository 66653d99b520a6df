"""What a model costs: parameters, firing rates, operations, energy, time and memory.

A sample is one generated item, its codes from the prior and then the decoder; an encoded item is the encoder and the
search for its codes. Operations are counted on real data (`operations.py`), per ONE item and one layer at a time,
never per batch: a published count of spiking VAEs is of a batch of 250, with transposed convolutions at stride^2 times
their connections. Energy is an estimate by constants of 45 nm circuits (Horowitz, ISSCC 2014), as spiking papers have
it, and no measurement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from neurogen.metrics.drawing_time import draw_alone, draw_batch, seconds
from neurogen.metrics.errors import MetricError
from neurogen.metrics.operations import LayerWork, NeuronWork, counted_operations
from neurogen.metrics.peak_memory import peak_memory
from neurogen.model import CHUNK, Model
from neurogen.models.size import parameter_counts

ACCUMULATE_PJ = 0.9  # a float32 addition in 45 nm
MULTIPLY_PJ = 4.6  # a float32 multiplication, 3.7, and that addition
CONSTANTS = (
    f"{ACCUMULATE_PJ} pJ an accumulate, {MULTIPLY_PJ} pJ a multiplication with its addition, float32 in 45 nm "
    "(Horowitz, ISSCC 2014); memory and everything else left out"
)


@dataclass(frozen=True)
class PartWork:
    """Of one part of a model: layers and neurons by name; items: how many items they are of; runs: `LayerWork.dense`'s
    number of independent runs, which is more where an item is several sequences."""

    layers: Mapping[str, LayerWork]
    neurons: Mapping[str, NeuronWork]
    items: int
    runs: int

    def figures(self) -> dict[str, float]:
        """Per item."""
        layers = self.layers.values()
        return {
            "accumulates": sum(layer.accumulates for layer in layers) / self.items,
            "multiplies": sum(layer.multiplies for layer in layers) / self.items,
            "nonzero_multiplies": sum(layer.nonzero_multiplies for layer in layers) / self.items,
            "neuron_updates": sum(each.updates for each in self.neurons.values()) / self.items,
            "spikes": sum(each.spikes for each in self.neurons.values()) / self.items,
            "ann_multiplies": sum(layer.dense(self.runs) for layer in layers) / self.items,
        }

    def multiplying(self) -> str:
        """Names of the layers that multiply."""
        return ", ".join(name for name, layer in self.layers.items() if layer.multiplies)


def cost(model: Model, items: Tensor, seed: int = 0) -> dict[str, float | int | str]:
    """All figures of a model, flat: counts of operations by `work_of`, then time and memory of drawing.

    items: images (N, C, H, W) in [-1, 1] or scaled recordings (N, T, 2, H, W), as `Model.encode` takes them; as many
    samples are drawn with `seed`. `rate/LAYER`: spikes of a neuron and step. `PART/...` and `sample/...`: of one item;
    `ann_multiplies`: the same connections once, with real values. Time and memory are those of this machine and hour,
    everything else follows from the arguments. Raises MetricError for items that are not the model's.
    """
    stored = model.stored
    parts = work_of(model, items, seed)
    figures: dict[str, float | int | str] = {}
    sizes = parameter_counts(stored.network)
    prior_size = 0 if stored.prior is None else parameter_counts(stored.prior)["prior"]
    sizes |= {"prior": prior_size, "total": sizes["total"] + prior_size}
    figures |= {f"parameters/{name}": count for name, count in sizes.items()}
    figures |= {"steps": model.config.model.steps, "items": len(items)}
    for part, work in parts.items():
        figures |= {f"rate/{_within(part, name)}": each.rate for name, each in work.neurons.items()}
    each_part = {part: work.figures() for part, work in parts.items()}
    each_part["sample"] = _summed(each_part[part] for part in parts if part != "encoder")
    for part, counts in each_part.items():
        figures |= {f"{part}/{name}": value for name, value in (counts | energies(counts)).items()}
    figures |= {f"{part}/multiplying_layers": work.multiplying() for part, work in parts.items()}
    figures |= {"sample_is": " and ".join(part for part in parts if part != "encoder"), "energy_constants": CONSTANTS}
    return figures | _measured(model, items)


def energies(counts: Mapping[str, float]) -> dict[str, float]:
    """Microjoules of synaptic operations, of those with a multiplication a neuron update, and of the dense network."""
    synapses = counts["accumulates"] * ACCUMULATE_PJ + counts["multiplies"] * MULTIPLY_PJ
    neurons = counts["neuron_updates"] * MULTIPLY_PJ
    dense = counts["ann_multiplies"] * MULTIPLY_PJ
    energy = {"energy_uj": synapses, "energy_with_neurons_uj": synapses + neurons, "ann_energy_uj": dense}
    return {name: picojoules / 1e6 for name, picojoules in energy.items()}


@torch.inference_mode()
def work_of(model: Model, items: Tensor, seed: int = 0) -> dict[str, PartWork]:
    """What encoder, prior (where there is one) and decoder do, by part; arguments and errors as in `cost`.

    The decoder decodes the samples, or the items' codes where there is no prior. The prior runs over the sampled codes
    at once, which gives the spikes that drawing them gave.
    """
    _check(model, items)
    first_stage, prior, form = model.stored.network, model.stored.prior, model.code_form
    codes = []
    with counted_operations(first_stage) as encoding:
        for part in items.split(CHUNK):
            coded = first_stage.codebook(first_stage.latents(part.to(model.device)))
            codes.append(form.items_first(coded.codes).cpu())
    found = {"encoder": PartWork(encoding.layers, encoding.neurons, len(items), len(items))}
    decoded = torch.cat(codes)
    if prior is not None:
        samples = model.sample(len(items), seed=seed)
        decoded = form.items_first(torch.from_numpy(samples.codes))
        labels = torch.from_numpy(samples.labels)
        with counted_operations(prior) as drawing:
            for part, given in zip(decoded.split(CHUNK), labels.split(CHUNK), strict=True):
                prior(part.to(model.device), given.to(model.device) if model.conditional else None)
        runs = len(items) * prior.order.sequences
        found["prior"] = PartWork(drawing.layers, drawing.neurons, len(items), runs)
    with counted_operations(first_stage) as decoding:
        for part in decoded.split(CHUNK):
            first_stage.decode(form.as_codes(part).to(model.device))
    found["decoder"] = PartWork(decoding.layers, decoding.neurons, len(items), len(items))
    return found


def _check(model: Model, items: Tensor) -> None:
    config = model.config
    shape = (config.data.channels, config.data.resolution, config.data.resolution)
    if model.makes_recordings:
        shape = (config.model.steps, *shape)
    if not items.ndim or not len(items) or items.shape[1:] != shape:
        wanted, came = ", ".join(map(str, shape)), tuple(items.shape)
        raise MetricError(f"expected items of shape (N, {wanted}) to count operations on, got {came}")


def _measured(model: Model, items: Tensor) -> dict[str, float | str]:
    """Time of a sample and of an encoded item, and memory."""
    batch = items[:CHUNK]
    figures: dict[str, float | str] = {
        "seconds_per_sample": seconds(partial(draw_batch, model), model.device) / CHUNK,
        "seconds_alone": seconds(partial(draw_alone, model), model.device),
        "seconds_per_encoded_item": seconds(partial(model.encode, batch), model.device) / len(batch),
        "threads": torch.get_num_threads(),
    }
    peak, how = peak_memory(model)
    if peak is not None:
        figures["peak_memory_mib"] = peak / 2**20
    return figures | {"memory_is": f"of a batch of {CHUNK}, above the loaded model: {how}"}


def _summed(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def _within(part: str, name: str) -> str:
    """A layer's name, under the prior's where it is the prior's own."""
    return f"prior.{name}" if part == "prior" else name
