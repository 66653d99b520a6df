"""How latents of one network are used: spikes by rates and entropy, real numbers by how many carry anything.

    H_tc = -p log2 p - (1 - p) log2 (1 - p)     p: share of items in which latent c fires at step t

The sum of H over latents and steps bounds what a code can say of an item, in bits. A real latent is active where the
mean of its posterior differs between items: variance above 0.01 (Burda, Grosse and Salakhutdinov, arXiv 1509.00519).
Shapes: N items, T steps, C or L latents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurogen.data import Data
from neurogen.latent_model import LatentModel
from neurogen.metrics.drawing_time import draw_latents
from neurogen.model import CHUNK

DRAWN = 2_000  # latents of the prior, and items whose posterior is looked at
ACTIVE = 0.01  # variance of a posterior's mean over items


def latent_figures(model: LatentModel, latents: NDArray[np.floating], test: Data, seed: int) -> dict[str, Any]:
    """Of the latents of the test items, items first; beside them, where they are spikes, those that the prior draws."""
    if latents.ndim == 2:
        return real_figures(latents, posterior_means(model, test))
    figures = spike_figures(latents)
    if not model.generates:
        return figures
    drawn = _drawn(model, seed)
    gap = np.abs(drawn.mean(0) - latents.mean(0)).mean()
    return figures | {f"drawn_{name}": value for name, value in spike_figures(drawn).items()} | {"rate_gap": float(gap)}


def spike_figures(spikes: NDArray[np.floating]) -> dict[str, float]:
    """Of (N, T, C) in {0, 1}: rate; shares of latents that fire nowhere and everywhere; entropy."""
    rates = spikes.mean(0, dtype=np.float64)  # (T, C)
    of_latents = rates.mean(0)
    entropy = -sum(p * np.log2(np.where(p > 0, p, 1)) for p in (rates, 1 - rates))
    return {
        "rate": float(rates.mean()),
        "never_fire": float((of_latents == 0).mean()),
        "always_fire": float((of_latents == 1).mean()),
        "bits_per_latent_and_step": float(entropy.mean()),
        "bits_per_item": float(entropy.sum()),
    }


def real_figures(latents: NDArray[np.floating], means: NDArray[np.floating]) -> dict[str, float]:
    """Of draws (N, L), whose variance is the prior's, 1, where both agree, and of means (M, L) of posteriors."""
    spread, own = latents.var(0, dtype=np.float64), means.var(0, dtype=np.float64)
    active = own > ACTIVE
    return {
        "latents": len(own),
        "active_units": int(active.sum()),
        "variance": float(spread.mean()),
        "variance_of_active": float(spread[active].mean()) if active.any() else 0.0,
        "variance_of_means": float(own.mean()),
        "largest_mean": float(np.abs(latents.mean(0, dtype=np.float64)).max()),
    }


@torch.inference_mode()
def posterior_means(model: LatentModel, test: Data) -> NDArray[np.floating]:
    """(M, L): what a Gaussian posterior draws by the median uniform number is its mean."""
    index = np.linspace(0, len(test) - 1, min(len(test), DRAWN)).astype(np.int64)
    found = []
    for x in test.batch(index).split(CHUNK):
        middle = torch.full((len(x), model.network.encoding_draws), 0.5, dtype=torch.float64, device=model.device)
        found.append(model.network.encode(x.to(model.device), middle).cpu())
    return torch.cat(found).numpy()


@torch.inference_mode()
def _drawn(model: LatentModel, seed: int) -> NDArray[np.floating]:
    latents, _ = draw_latents(model, DRAWN, seed)
    return model.items_first(latents).cpu().numpy()
