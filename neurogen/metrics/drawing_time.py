"""How long a sample takes: as one of a batch, and alone."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from neurogen.latent_model import LatentModel
from neurogen.model import CHUNK, Model

REPEATS = 3  # of which the fastest counts: whatever else the machine does can only slow a run


def draw_batch(model: Model) -> Tensor:
    """Values of CHUNK samples, as `Model.sample` makes them; of a model that cannot be sampled, decoded from
    fixed codes."""
    return _draw(model, CHUNK)


def draw_alone(model: Model) -> Tensor:
    """Values of one sample by itself (`Model.sample(1)` draws a whole batch, so that its numbers never change)."""
    return _draw(model, 1)


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Of the fastest of a few runs, after one that does not count."""
    work()
    found = []
    for _ in range(REPEATS):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        found.append(time.perf_counter() - start)
    return min(found)


def draw_latents(model: LatentModel, n: int, seed: int) -> tuple[Tensor, Tensor | None]:
    """Latents of n samples and the labels they are of, classes in turn, where the model knows any, on its device.

    Of a model whose density of latents was never fitted, spikes by chance.
    """
    network, generator = model.network, np.random.Generator(np.random.Philox(key=[seed, n]))
    if not network.generates:
        spikes = generator.integers(0, 2, (network.steps, n, model.config.model.channels))
        return torch.from_numpy(spikes).float().to(model.device), None
    labels = (torch.arange(n) % network.classes).to(model.device) if network.classes else None
    uniforms = torch.from_numpy(generator.random((n, network.draws))).to(model.device)
    return network.draw(uniforms, labels), labels


@torch.inference_mode()
def _draw(model: Model, n: int) -> Tensor:
    if isinstance(model, LatentModel):
        latents, labels = draw_latents(model, n, 0)
        return model.network.decode(latents, labels).float().cpu()
    stored, form = model.stored, model.code_form
    generator = np.random.Generator(np.random.Philox(key=[0, n]))
    if stored.prior is None:
        items = torch.from_numpy(generator.integers(0, form.size, (n, *form.item_shape)))
    else:
        uniforms = torch.from_numpy(generator.random((n, stored.prior.order.uniforms)))
        labels = (torch.arange(n) % len(model.classes)).to(model.device) if model.conditional else None
        items = stored.prior.sample(uniforms, labels)
    return stored.network.decode(form.as_codes(items).to(model.device)).float().cpu()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
