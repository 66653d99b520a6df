"""The Inception score as FSVAE and its successors print it, which compares with no other Inception score.

    exp(mean_x KL(p(y|x) || p(y)))     mean over 10 splits of 256 images (Salimans et al. 2016)

The network is torchvision's, and is fed with pixels in 0..255, which it was not trained on (it expects about -1 to 1);
images reach 299x299 by torch's bilinear filter. Source: the release of arXiv 2110.00375 (kamata1729/FullySpikingVAE).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurogen.metrics import inception
from neurogen.metrics.errors import MetricError

FILE = "inception_v3_google-0cc3c7bd.pth"
URL = f"https://download.pytorch.org/models/{FILE}"
SPLITS, SPLIT = 10, 256


@torch.no_grad()
def fsvae_score(
    images: NDArray[np.uint8],
    weights: str | Path | None = None,
    device: str = "cpu",
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[float, float]:
    """(mean, standard deviation over splits) of the first 2,560 images (N, 1 or 3, H, W) uint8, so shuffle first.

    weights: torchvision's file, None for that in torch's hub folder. Raises MetricError for fewer images and for
    missing weights or those of another network.
    """
    inception.check_images(images)
    wanted = SPLITS * SPLIT
    if len(images) < wanted:
        raise MetricError(f"expected {wanted} images or more for FSVAE's Inception score, got {len(images)}; add some")
    network = _load(inception.place_of(weights, FILE)).to(device)
    probabilities = []
    for start in range(0, wanted, inception.BATCH):
        batch = torch.from_numpy(np.ascontiguousarray(images[start : min(start + inception.BATCH, wanted)]))
        x = batch.expand(-1, 3, -1, -1).to(device).float()
        x = nn.functional.interpolate(x, size=(inception.SIZE, inception.SIZE), mode="bilinear", align_corners=False)
        probabilities.append(network(x).double().softmax(1).cpu())
        progress(start + len(batch))
    scores = [inception_score(split) for split in torch.cat(probabilities).split(SPLIT)]
    return float(np.mean(scores)), float(np.std(scores))


def inception_score(probabilities: Tensor) -> float:
    """exp of the mean divergence of p(y|x) (N, classes) from their mean."""
    mean = probabilities.mean(0, keepdim=True)
    divergence = torch.special.xlogy(probabilities, probabilities) - torch.special.xlogy(probabilities, mean)
    return float(divergence.sum(1).mean().exp())


def _load(place: Path) -> nn.Module:
    from torchvision.models import inception_v3

    state, _ = inception.read_state(place, f"{FILE} from {URL}")
    network = inception_v3(weights=None, transform_input=False, init_weights=False)
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise MetricError(f"{place}: expected weights of torchvision's Inception, got others; take {FILE}") from None
    return network.eval()
