"""Our own extractor for the autoencoder Frechet distance: the published network, trained here and shipped.

The published weights (neurogen/metrics/autoencoder_distance.py) compare with published rows and have to be fetched;
these are in the package, so that a distance can be had anywhere. Distances of the two are on different scales.
"""

from __future__ import annotations

from pathlib import Path

from neurogen.metrics.autoencoder_distance import AutoencoderFeatures
from neurogen.metrics.errors import MetricError
from neurogen.metrics.weights_folder import fill, read_weights
from neurogen.pretrained import HERE

DATASETS = ("mnist", "fashion")


def load_extractor(where: str | Path) -> AutoencoderFeatures:
    """The shipped extractor of a data set (mnist, fashion), or one in a folder; in eval mode. Raises MetricError.

    Weights are stored in float16 and used in float32: all figures are of the weights as stored.
    """
    folder = HERE / f"{where}-extractor" if str(where) in DATASETS else Path(where)
    description, tensors = read_weights(folder, "extractor")
    try:
        network = AutoencoderFeatures(description["channels"], description["width"])
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise MetricError(f"{folder}: expected channels and width of an extractor; take a fresh copy") from None
    return fill(network, tensors, folder)
