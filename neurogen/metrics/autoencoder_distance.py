"""The autoencoder Frechet distance of FSVAE and its successors, as published and in an honest mode.

The features are the code of a small convolutional autoencoder. In `paper` mode its batch norm uses the statistics of
each batch of 256 images, because the published evaluation never leaves training mode: such figures compare with
published rows, but do not see a change of contrast, and depend on what shares a batch. In `eval` mode it uses its
running statistics, as it should. Source: the release of arXiv 2110.00375 (kamata1729/FullySpikingVAE).
"""

from __future__ import annotations

import pickle
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurogen.metrics.errors import MetricError
from neurogen.metrics.frechet import Moments

Mode = Literal["paper", "eval"]

BATCH = 256  # part of the protocol in paper mode
SIZE = 32  # pixels
WIDTHS = (32, 64, 128, 256)
PARTS = ("encoder.", "latent_layer.")  # of the published file; its decoder is not needed


class AutoencoderFeatures(nn.Module):
    """Images (M, C, 32, 32) in [-1, 1] -> features (M, width)."""

    def __init__(self, channels: int = 1, width: int = 64) -> None:
        super().__init__()
        sizes = (channels, *WIDTHS)
        self.encoder = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(inside, out, 3, 2, 1), nn.BatchNorm2d(out), nn.LeakyReLU())
                for inside, out in pairwise(sizes)
            )
        )
        self.latent_layer = nn.Linear(WIDTHS[-1] * (SIZE // 2 ** len(WIDTHS)) ** 2, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.latent_layer(self.encoder(x).flatten(1))


def load_features(path: str | Path) -> AutoencoderFeatures:
    """The published extractor, from its .pth (fashion_64.pth, mnist_64.pth); raises MetricError for another file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise MetricError(f"{path}: expected the published extractor's weights, {error.strerror}; correct it") from None
    except (RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile):
        raise MetricError(f"{path}: expected weights of torch, its content is none; take the published .pth") from None
    try:
        return _network(state if isinstance(state, dict) else {})
    except (KeyError, RuntimeError, IndexError, AttributeError):
        raise MetricError(f"{path}: expected the published autoencoder's weights, got those of another") from None


def _network(state: dict[str, Tensor]) -> AutoencoderFeatures:
    kept = {key: value for key, value in state.items() if key.startswith(PARTS)}
    channels, width = kept["encoder.0.0.weight"].shape[1], len(kept["latent_layer.bias"])
    network = AutoencoderFeatures(channels, width)
    network.load_state_dict(kept)
    return network


@torch.no_grad()
def autoencoder_features(network: AutoencoderFeatures, images: NDArray[np.uint8], mode: Mode) -> NDArray[np.float32]:
    """(M, width) features of images (M, C, H, W) uint8, brought to 32x32 by PIL's bilinear filter as the reference is.

    mode: `paper` (batches of 256 in the given order, so shuffle first) or `eval`. The network is left as it was.
    Raises MetricError for images of other channels.
    """
    channels = network.encoder[0][0].in_channels
    if images.ndim != 4 or images.shape[1] != channels:
        raise MetricError(f"expected images (M, {channels}, H, W) for this extractor, got shape {images.shape}")
    training, buffers = network.training, {name: buffer.clone() for name, buffer in network.named_buffers()}
    network.train(mode == "paper")
    try:
        x = torch.from_numpy(resized(images).astype(np.float32) / 127.5 - 1)
        return torch.cat([network(part) for part in x.split(BATCH)]).numpy()
    finally:
        network.train(training)
        for name, buffer in network.named_buffers():
            buffer.copy_(buffers[name])


def resized(images: NDArray[np.uint8], size: int = SIZE) -> NDArray[np.uint8]:
    """(M, C, H, W) -> (M, C, size, size) by PIL's bilinear filter."""
    from PIL import Image

    if images.shape[2:] == (size, size):
        return images
    flat = images.reshape(-1, *images.shape[2:])
    smaller = [np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)) for image in flat]
    return np.stack(smaller).reshape(*images.shape[:2], size, size)


def load_moments(path: str | Path) -> Moments:
    """Published statistics (`mu`, `sigma` in an .npz); raises MetricError for a file without them."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Moments(arrays["mu"].astype(np.float64), arrays["sigma"].astype(np.float64), 0)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        said = " ".join(str(error).split())[:80]
        raise MetricError(f"{path}: expected mu and sigma in an .npz, {said}; take the published statistics") from None
