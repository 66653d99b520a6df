"""A map of the codes of many items: those that differ little lie close together.

t-SNE (van der Maaten and Hinton 2008, by scikit-learn) of latents as plain vectors; between spikes the squared distance
is the number of those that differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from neurogen.latent_model import LatentModel
from neurogen.plots.style import bare, figure, shade

FEWEST = 10  # items; t-SNE of fewer shows nothing


def code_map_figure(model: LatentModel, items: Tensor, labels: NDArray[np.int64], seed: int = 0) -> Any:
    """The codes of items (N, ...) of labels (N,) in the plane, coloured by class; some hundreds show most.

    None for fewer than FEWEST, for codes that are all alike, and for a model without an encoder.
    """
    if not model.encodes or len(items) < FEWEST:
        return None
    from sklearn.manifold import TSNE

    codes = vectors(model, items, seed)
    if not codes.std(0).any():  # all alike: nothing to lay out
        return None
    places = TSNE(perplexity=min(30.0, (len(codes) - 1) / 3), init="pca", random_state=seed).fit_transform(codes)
    made, (axis,) = figure(1, 1, width=5.6, height=4.4)
    known = np.unique(labels)
    for k, label in enumerate(known):
        own = places[labels == label]
        colour = _colour(k, len(known))
        axis.scatter(own[:, 0], own[:, 1], s=9, color=[colour], linewidths=0, label=model.classes[label])
    bare(axis)
    axis.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)
    same = 100 * neighbours_agree(codes, labels)
    axis.set_title(f"{len(codes)} codes; the nearest other one is of the same class for {same:.0f} %", fontsize=9)
    return made


def vectors(model: LatentModel, items: Tensor, seed: int = 0) -> NDArray[np.float32]:
    """Codes of items as vectors (N, D); D is T C for spikes."""
    latents = model.encode(items, seed=seed)
    return latents.movedim(model.item_axis, 0).flatten(1).float().numpy()


def neighbours_agree(codes: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Share of N items whose nearest other code (N, D) has their label; among equally near ones, the mean."""
    squares = (codes.astype(np.float64) ** 2).sum(1)
    distances = squares[:, None] + squares - 2 * codes.astype(np.float64) @ codes.T.astype(np.float64)
    np.fill_diagonal(distances, np.inf)
    nearest = distances <= distances.min(1, keepdims=True) + 1e-9
    same = (labels[:, None] == labels) & nearest
    return float((same.sum(1) / nearest.sum(1)).mean())


def _colour(k: int, count: int) -> Any:
    import matplotlib

    return matplotlib.colormaps["tab10"](k) if count <= 10 else shade(k / (count - 1))
