"""The autoencoder whose features the distance is measured in: ours, which ships, or the published one from its file.

The published release keeps stat_checkpoints/<data set>_64.pth beside stats/<data set>_test_64.npz; a path to that
folder takes both, a path to a .pth the weights alone, and the reference moments are then computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neurogen.metrics.autoencoder_distance import AutoencoderFeatures, load_features, load_moments, load_own_features
from neurogen.metrics.errors import MetricError
from neurogen.metrics.frechet import Moments


@dataclass(frozen=True, eq=False)
class Extractor:
    """network: the encoder; source: what to call it in the output; published: its moments of the test images in paper
    mode, where they came with it."""

    network: AutoencoderFeatures
    source: str
    published: Moments | None = None


def open_extractor(dataset: str, path: Path | None) -> Extractor:
    """The extractor for a data set: at `path`, or the shipped one. Raises MetricError where there is none."""
    if path is None:
        return Extractor(load_own_features(shipped_extractor(dataset)), "neurogen")
    if not path.is_dir():
        return Extractor(load_features(path), path.name)
    weights = path / "stat_checkpoints" / f"{dataset}_64.pth"
    statistics = path / "stats" / f"{dataset}_test_64.npz"
    published = load_moments(statistics) if statistics.is_file() else None
    return Extractor(load_features(weights), weights.name, published)


def shipped_extractor(dataset: str) -> Path:
    """The folder of our own extractor; raises MetricError for a data set without one."""
    from neurogen import metrics

    folder = Path(metrics.__file__).parent.parent / "pretrained" / f"{dataset}-extractor"
    if not folder.is_dir():
        raise MetricError(f"no extractor ships for {dataset}; give --extractor PATH, the published .pth or its folder")
    return folder
