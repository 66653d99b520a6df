"""What the parts of a model do on real data: encoder, prior and decoder, or a generator, each counted by itself.

A first stage with a prior and a model of one network have the same parts: what makes latents or codes of items, what
draws them, and what decodes them. Of one network, the posterior belongs to the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neurogen.blocks.mixture_density import MixtureDensity
from neurogen.latent_model import LatentModel
from neurogen.metrics.drawing_time import draw_latents
from neurogen.metrics.errors import MetricError
from neurogen.metrics.operations import LayerWork, NeuronWork, counted_operations
from neurogen.metrics.readout_operations import count_draw
from neurogen.model import CHUNK, Model


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


@torch.inference_mode()
def work_of(model: Model, items: Tensor, seed: int = 0) -> dict[str, PartWork]:
    """What encoder, prior and decoder do, or a generator, by part; those that a model lacks are left out.

    items: as `Model.encode` takes them; as many samples are drawn with `seed`, or, where nothing can be drawn, the
    items' own codes decoded. Raises MetricError for items that are not the model's.
    """
    _check(model, items)
    return _of_one_network(model, items, seed) if isinstance(model, LatentModel) else _of_stages(model, items, seed)


def _of_one_network(model: LatentModel, items: Tensor, seed: int) -> dict[str, PartWork]:
    network, count, found = model.network, len(items), dict[str, PartWork]()
    latents, labels = None, None
    if model.encodes:
        with counted_operations(network) as encoding:
            latents = model.encode(items)
        found["encoder"] = PartWork(encoding.layers, encoding.neurons, count, count)
    if model.generates:
        with counted_operations(network) as drawing:
            latents, labels = draw_latents(model, count, seed)
            for name, layer in network.named_modules():
                if isinstance(layer, MixtureDensity):
                    count_draw(drawing.layers[name], layer, count)
        if drawing.layers:
            found["prior"] = PartWork(drawing.layers, drawing.neurons, count, count)
    assert latents is not None
    with counted_operations(network) as decoding:
        model.decode(latents, labels=labels)
    found["decoder" if model.encodes else "generator"] = PartWork(decoding.layers, decoding.neurons, count, count)
    return found


def _of_stages(model: Model, items: Tensor, seed: int) -> dict[str, PartWork]:
    """The prior runs over the sampled codes at once, which gives the spikes that drawing them gave."""
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
