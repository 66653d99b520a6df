"""The section `neighbours`: how near samples lie to training items, and a picture of the nearest pairs.

Images are compared at the size of the generated ones; recordings by square roots of their counts in equal-time bins,
cropped as the model's frames are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurogen.metrics.autoencoder_distance import resized
from neurogen.metrics.autoencoder_figures import drawn_index
from neurogen.metrics.errors import MetricError
from neurogen.metrics.evaluation import Evaluation
from neurogen.metrics.memorisation import HELD_OUT, SAMPLES, SHOWN, Copies, copies
from neurogen.metrics.recording_counts import counted, cropped

Figures = dict[str, Any]
COLUMNS = 6  # pairs side by side


def neighbours(evaluation: Evaluation) -> Figures:
    """Nearest training items of samples and of test items; drawn where there is a folder for pictures."""
    if evaluation.own.makes_recordings:
        return _of_recordings(evaluation)
    images = evaluation.images[:SAMPLES]
    known, held_out = (_sized(evaluation.own.images(split), images) for split in ("train", "test"))
    held_out = held_out[drawn_index(len(held_out), HELD_OUT, evaluation.settings.seed)]
    found = copies(images, held_out, known, unit=255.0)
    _draw(evaluation, images, known, found)
    return {**found.figures, "distance": "Euclidean, pixels in [0, 1]"}


def _of_recordings(evaluation: Evaluation) -> Figures:
    made = evaluation.recordings[:SAMPLES]
    train, test = (evaluation.own.recordings(split) for split in ("train", "test"))
    counts = counted(made, train, evaluation.generated.edges)
    known, held_out, own = (cropped(each, evaluation.own.scaling) for each in (train.counts, test.counts, counts))
    held_out = held_out[drawn_index(len(held_out), HELD_OUT, evaluation.settings.seed)]
    found = copies(_root(own), _root(held_out), _root(known))
    if evaluation.settings.out is not None:
        from neurogen.pictures import colour_counts

        shown = found.sample[:SHOWN], found.neighbour[:SHOWN]
        pairs = np.concatenate([own[shown[0]].sum(1), known[shown[1]].sum(1)])
        colours = colour_counts(pairs)
        middle = len(shown[0])
        _draw(evaluation, colours[:middle], colours[middle:], Copies({}, np.arange(middle), np.arange(middle)))
    return {**found.figures, "distance": f"Euclidean, square roots of counts in {train.prepared.shape[1]} bins"}


def _draw(evaluation: Evaluation, images: NDArray[np.uint8], known: NDArray[np.uint8], found: Copies) -> None:
    """neighbours.png: a sample, its nearest training item, the next sample and so on; the nearest pair first."""
    if evaluation.settings.out is None:
        return
    from neurogen.pictures import image_grid, save_png

    pairs = np.stack([images[found.sample[:SHOWN]], known[found.neighbour[:SHOWN]]], 1)
    save_png(evaluation.settings.out / "neighbours.png", image_grid(pairs.reshape(-1, *images.shape[1:]), 2 * COLUMNS))


def _sized(real: NDArray[np.uint8], images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Real images at the size of the generated ones."""
    if real.shape[1:] == images.shape[1:]:
        return real
    if real.shape[1] != images.shape[1] or images.shape[2] != images.shape[3]:
        raise MetricError(f"expected images of shape {real.shape[1:]} as the real ones, got {images.shape[1:]}")
    return resized(real, images.shape[2])


def _root(counts: NDArray[Any]) -> NDArray[np.float32]:
    return np.sqrt(counts.astype(np.float32))
