"""The autoencoder Frechet distance of generated images, with what real images score: its floor.

paper  5,120 images drawn at random, in batches of 256 that are normalised together; reference: test images in file
       order, 39 batches of 256 and one of 16. Compares with published rows.
eval   running statistics, all images given; the honest one.
A floor is the distance of as many real training images: the mean of ten draws, the least and the greatest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neurogen.metrics.autoencoder_distance import Mode, autoencoder_features
from neurogen.metrics.errors import MetricError
from neurogen.metrics.extractors import Extractor
from neurogen.metrics.frechet import Moments, frechet_distance, moments
from neurogen.metrics.protocols import PAPER_COUNT

DRAWS = 10  # of a floor
PER_FEATURE = 2  # images for each feature, at least; with fewer the covariance is mostly chance

Images = NDArray[np.uint8]
Progress = Callable[[int], None]


class AutoencoderDistance:
    """One mode against one reference (M, C, H, W); its moments are computed once."""

    def __init__(self, extractor: Extractor, mode: Mode, reference: Images) -> None:
        self.extractor, self.mode = extractor, mode
        published = extractor.published if mode == "paper" else None
        self.reference = published or self._moments(reference)

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
    order = np.random.Generator(np.random.Philox(key=[seed, 0xFAD])).permutation(len(images))
    return images[order[:count]]
