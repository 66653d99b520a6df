"""What a model costs: parameters, firing rates, operations, energy, time and memory.

A sample is one generated item: codes or latents from the prior and then the decoder, or the generator alone. An encoded
item is the encoder with the search for its codes, or with its posterior. Operations are counted on real data
(`operations.py`), per ONE item and one layer at a time, never per batch: a published count of spiking VAEs is of a
batch of 250, with transposed convolutions at stride^2 times their connections. Energy is an estimate by constants of
45 nm circuits (Horowitz, ISSCC 2014), as spiking papers have it, and no measurement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial

import torch
from torch import Tensor

from neurogen.metrics.drawing_time import draw_alone, draw_batch, seconds
from neurogen.metrics.parts import work_of
from neurogen.metrics.peak_memory import peak_memory
from neurogen.model import CHUNK, Model
from neurogen.models.size import parameter_counts
from neurogen.two_stage_model import TwoStageModel

ACCUMULATE_PJ = 0.9  # a float32 addition in 45 nm
MULTIPLY_PJ = 4.6  # a float32 multiplication, 3.7, and that addition
CONSTANTS = (
    f"{ACCUMULATE_PJ} pJ an accumulate, {MULTIPLY_PJ} pJ a multiplication with its addition, float32 in 45 nm "
    "(Horowitz, ISSCC 2014); memory and everything else left out"
)


def cost(model: Model, items: Tensor, seed: int = 0) -> dict[str, float | int | str]:
    """All figures of a model, flat: counts of operations by `work_of`, then time and memory of drawing.

    items: images (N, C, H, W) in [-1, 1] or scaled recordings (N, T, 2, H, W), as `Model.encode` takes them; as many
    samples are drawn with `seed`. `rate/LAYER`: spikes of a neuron and step. `PART/...` and `sample/...`: of one item;
    `ann_multiplies`: the same connections once, with real values. Time and memory are those of this machine and hour,
    everything else follows from the arguments. Raises MetricError for items that are not the model's.
    """
    parts = work_of(model, items, seed)
    figures: dict[str, float | int | str] = {f"parameters/{name}": count for name, count in _sizes(model).items()}
    figures |= {"steps": model.config.model.steps, "items": len(items)}
    for part, work in parts.items():
        figures |= {f"rate/{_within(model, part, name)}": each.rate for name, each in work.neurons.items()}
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


def _measured(model: Model, items: Tensor) -> dict[str, float | str]:
    """Time of a sample and of an encoded item, and memory."""
    batch = items[:CHUNK]
    figures: dict[str, float | str] = {
        "seconds_per_sample": seconds(partial(draw_batch, model), model.device) / CHUNK,
        "seconds_alone": seconds(partial(draw_alone, model), model.device),
        "threads": torch.get_num_threads(),
    }
    if model.encodes:
        figures["seconds_per_encoded_item"] = seconds(partial(model.encode, batch), model.device) / len(batch)
    peak, how = peak_memory(model)
    if peak is not None:
        figures["peak_memory_mib"] = peak / 2**20
    return figures | {"memory_is": f"of a batch of {CHUNK}, above the loaded model: {how}"}


def _summed(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def _sizes(model: Model) -> dict[str, int]:
    """Parameters by part, with those of a prior beside a first stage."""
    stored = model.stored
    sizes = parameter_counts(stored.network)
    if not isinstance(model, TwoStageModel):
        return sizes
    prior = 0 if stored.prior is None else parameter_counts(stored.prior)["prior"]
    return sizes | {"prior": prior, "total": sizes["total"] + prior}


def _within(model: Model, part: str, name: str) -> str:
    """A layer's name, under the prior's where it is a network of its own."""
    return f"prior.{name}" if part == "prior" and isinstance(model, TwoStageModel) else name
