"""The autoencoder Frechet distance of generated images, with what real images score: its floor.

paper  5,120 images drawn at random, in batches of 256 that are normalised together; reference: test images in file
       order, 39 batches of 256 and one of 16. Compares with published rows.
eval   running statistics, all images given; the honest one.
A floor is the distance of as many real training images: the mean of ten draws, the least and the greatest.

The published release keeps stat_checkpoints/<data set>_64.pth beside stats/<data set>_test_64.npz: a path to that
folder takes both, a path to a .pth the weights alone, and the reference moments are then computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurogen.metrics.autoencoder_distance import (
    AutoencoderFeatures,
    Mode,
    autoencoder_features,
    load_features,
    load_moments,
)
from neurogen.metrics.errors import MetricError
from neurogen.metrics.extractor import DATASETS, load_extractor
from neurogen.metrics.frechet import Moments, frechet_distance, moments
from neurogen.metrics.protocols import PAPER_COUNT

DRAWS = 10  # of a floor
PER_FEATURE = 2  # images for each feature, at least; with fewer the covariance is mostly chance

Images = NDArray[np.uint8]
Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Extractor:
    """network: the encoder; source: what to call it in the output; published: its moments of the test images in paper
    mode, where they came with it."""

    network: AutoencoderFeatures
    source: str
    published: Moments | None = None


def open_extractor(dataset: str, path: Path | None) -> Extractor:
    """The extractor of a data set, at `path` or the shipped one; raises MetricError where there is none."""
    if path is None:
        if dataset not in DATASETS:
            raise MetricError(f"no extractor ships for {dataset}; give --extractor PATH, a .pth of the published kind")
        return Extractor(load_extractor(dataset), f"{dataset}-extractor of neurogen")
    if not path.is_dir():
        return Extractor(load_features(path), path.name)
    if (path / "config.yaml").is_file():
        return Extractor(load_extractor(path), path.name)
    weights = path / "stat_checkpoints" / f"{dataset}_64.pth"
    statistics = path / "stats" / f"{dataset}_test_64.npz"
    published = load_moments(statistics) if statistics.is_file() else None
    return Extractor(load_features(weights), f"published {weights.name}", published)


class AutoencoderDistance:
    """One mode against one reference (M, C, H, W); its moments are computed once."""

    def __init__(self, extractor: Extractor, mode: Mode, reference: Images) -> None:
        self.extractor, self.mode = extractor, mode
        self.published = mode == "paper" and extractor.published is not None
        given = extractor.published if self.published else None
        self.reference = given or self._moments(reference)

    def of(self, images: Images, seed: int) -> float:
        """The distance of images (N, C, H, W), drawn and shuffled by the seed in paper mode.

        Raises MetricError for fewer images than the mode needs.
        """
        width = len(self.reference.mean)
        needed = PAPER_COUNT if self.mode == "paper" else PER_FEATURE * width
        if len(images) < needed:
            what = "paper mode" if self.mode == "paper" else f"{width} features"
            raise MetricError(f"expected {needed:,} images or more for {what}, got {len(images):,}; raise --count")
        chosen = drawn(images, PAPER_COUNT, seed) if self.mode == "paper" else images
        return frechet_distance(self._moments(chosen), self.reference)

    def floor(self, train: Images, count: int, seed: int, progress: Progress = lambda _: None) -> dict[str, float]:
        """Mean, least and greatest distance over draws of `count` real training images; none where there are fewer."""
        size = PAPER_COUNT if self.mode == "paper" else count
        if size > len(train):
            return {}
        distances = []
        for draw in range(DRAWS):
            distances.append(self.of(drawn(train, size, seed + draw), seed))
            progress(draw + 1)
        low, high = min(distances), max(distances)
        return {"floor": float(np.mean(distances)), "floor_least": low, "floor_most": high}

    def _moments(self, images: Images) -> Moments:
        return moments(autoencoder_features(self.extractor.network, images, self.mode))


def drawn(images: Images, count: int, seed: int) -> Images:
    """`count` different images in a random order; all, shuffled, where there are no more."""
    return images[drawn_index(len(images), count, seed)]


def drawn_index(there: int, count: int, seed: int) -> NDArray[np.int64]:
    """`count` different indices below `there` in a random order; all of them where there are no more."""
    return np.random.Generator(np.random.Philox(key=[seed, 0xFAD])).permutation(there)[:count].astype(np.int64)
