"""The Inception network of 2015-12-05 that FID, IS, KID and PRC are measured with, and its features of images.

torch-fidelity's port of the TensorFlow graph (Szegedy et al. 2015; Heusel et al. 2017), whose weights are a file that
is put in place by hand: nothing is downloaded here. How images are brought to 299x299 differs between protocols and
changes every figure:

    tensorflow  bilinear with TensorFlow 1's corners, no antialiasing, then (x - 128) / 128     torch-fidelity
    clean       PIL's bicubic filter on floats, cut to 0..255, then (x - 128) / 128             clean-fid
    pytorch     bilinear with half-pixel centres, no antialiasing, then 2 x / 255 - 1           pytorch-fid

Legend: N images, C channels, H W pixels, D = 2048 features.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurogen.metrics.errors import MetricError

Resize = Literal["tensorflow", "clean", "pytorch"]

FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
OFFICIAL = "6726825d"  # how the sha256 of the official file begins
PIP = "pip install 'neurogen[metrics]'"
SIZE = 299  # pixels
BATCH = 64  # images at once; no figure depends on it
POOLED, LOGITS = "2048", "logits_unbiased"  # layers, as torch-fidelity names them
STAGES = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "MaxPool_2"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    *("Mixed_7a", "Mixed_7b", "Mixed_7c", "AvgPool"),
)


@dataclass(frozen=True, eq=False)
class Inception:
    """network: torch-fidelity's, in eval mode; file: the name of its weights; sha256: of that file."""

    network: nn.Module
    file: str
    sha256: str

    @property
    def official(self) -> bool:
        """Whether its figures compare with anybody else's."""
        return self.sha256.startswith(OFFICIAL)


@dataclass(frozen=True, eq=False)
class InceptionFeatures:
    """pooled: (N, D) float32; logits: (N, 1008) float32 without bias, () where the resize is not torch-fidelity's."""

    pooled: Tensor
    logits: Tensor


def load_inception(path: str | Path | None = None, device: str = "cpu") -> Inception:
    """The network with the weights of this file, or of torch's hub folder, where torch-fidelity looks for them.

    Raises MetricError where torch-fidelity or the file is missing, and for weights of another network.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError:
        raise MetricError(
            f"expected the package torch-fidelity for FID, IS, KID and PRC, it is absent; {PIP}"
        ) from None
    place = place_of(path, FILE)
    state, content = read_state(place, f"{FILE} from {URL}", " or name it with --inception")
    # torch-fidelity unpickles whatever it is given, so it is given what was read without running code.
    checked = io.BytesIO()
    torch.save(state, checked)
    checked.seek(0)
    try:
        network = FeatureExtractorInceptionV3("inception", [POOLED, LOGITS], feature_extractor_weights_path=checked)
    except (RuntimeError, AttributeError, TypeError):
        raise MetricError(f"{place}: expected weights of torch-fidelity's Inception, got others; take {FILE}") from None
    return Inception(network.to(device), place.name, hashlib.sha256(content).hexdigest())


def place_of(path: str | Path | None, file: str) -> Path:
    """The path itself, or where torch's hub keeps a file of that name ($TORCH_HOME/hub/checkpoints)."""
    return Path(torch.hub.get_dir()) / "checkpoints" / file if path is None else Path(path)


def read_state(place: Path, wanted: str, advice: str = "") -> tuple[dict[str, Any], bytes]:
    """The tensors of a .pth by name, and the file's bytes, read without running code.

    wanted: what the file is and where it is got; advice: how else it can be given. Raises MetricError for a missing
    file and for one without tensors.
    """
    try:
        content = place.read_bytes()
    except OSError as error:
        said = "found none" if isinstance(error, FileNotFoundError) else str(error.strerror).lower()
        raise MetricError(f"expected {wanted} at {place}, {said}; put it there{advice}") from None
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile):
        raise MetricError(f"{place}: expected weights of torch, its content is none; take {wanted}") from None
    if not isinstance(state, dict):
        raise MetricError(f"{place}: expected tensors by name, got a {type(state).__name__}; take {wanted}")
    return state, content


@torch.no_grad()
def inception_features(
    inception: Inception,
    images: NDArray[np.uint8],
    resize: Resize = "tensorflow",
    progress: Callable[[int], None] = lambda _: None,
) -> InceptionFeatures:
    """Features of images (N, 1 or 3, H, W) uint8, grey ones repeated; progress is called with the number done.

    Raises MetricError for other images.
    """
    check_images(images)
    device = next(inception.network.parameters()).device
    pooled, logits = [], []
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH]))
        batch = batch.expand(-1, 3, -1, -1)
        if resize == "tensorflow":
            features = inception.network(batch.to(device))
            pooled.append(features[0].cpu())
            logits.append(features[1].cpu())
        else:
            x = (_clean(batch) - 128) / 128 if resize == "clean" else 2 * _half_pixel(batch / 255) - 1
            pooled.append(_pooled(inception.network, x.to(device)).cpu())
        progress(min(start + BATCH, len(images)))
    return InceptionFeatures(torch.cat(pooled), torch.cat(logits) if logits else torch.empty(0))


def check_images(images: NDArray[np.uint8]) -> None:
    """Raises MetricError unless images are (N, 1 or 3, H, W) uint8, N > 0."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size:
        raise MetricError(
            f"expected images (N, 1 or 3, H, W) in uint8, got shape {images.shape} in {images.dtype}; convert them"
        )


def _pooled(network: nn.Module, x: Tensor) -> Tensor:
    """(N, D) of x (N, 3, 299, 299) in [-1, 1]: the network's own forward takes 8-bit images only."""
    for name in STAGES:
        x = getattr(network, name)(x)
    return x.flatten(1)


def _clean(images: Tensor) -> Tensor:
    """(N, 3, 299, 299) float32 in 0..255: each channel by PIL in floats, its overshoot cut off, as clean-fid does."""
    from PIL import Image

    grey = images.stride(1) == 0  # one channel was repeated: filter it once
    flat = images[:, :1] if grey else images
    resized = [
        np.asarray(Image.fromarray(channel).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        for channel in flat.flatten(0, 1).numpy().astype(np.float32)
    ]
    filtered = torch.from_numpy(np.stack(resized)).clamp(0, 255)
    return filtered.view(*flat.shape[:2], SIZE, SIZE).expand(-1, 3, -1, -1)


def _half_pixel(images: Tensor) -> Tensor:
    """(N, 3, 299, 299) of float images in 0..1."""
    return nn.functional.interpolate(images, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
