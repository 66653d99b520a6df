"""An autoencoder as a filter: noisy images, and what it makes of them.

noisy = clip(x + level z, 0, 1),  z ~ N(0, 1)        PSNR = -10 log10 mean (a - b)^2 in decibels, values in [0, 1]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurogen.latent_model import LatentModel
from neurogen.pictures import pictures_of
from neurogen.plots.style import bare, figure

LEVEL = 0.3  # standard deviation of the noise, of the range of values


def denoising_figure(model: LatentModel, images: Tensor, level: float = LEVEL, seed: int = 0) -> Any:
    """Images (N, C, H, W) in [-1, 1] above the same with noise and what the model makes of these, with their PSNR.

    None for recordings, and for a model without an encoder.
    """
    if model.makes_recordings or not model.encodes:
        return None
    noisy, denoised = through_noise(model, images, level, seed)
    before, after, count = psnr(noisy, images), psnr(denoised, images), len(images)
    made, axes = figure(count, 3, width=1.15, height=1.3)
    rows = (("clean", images, None), ("noisy", noisy, before), ("denoised", denoised, after))
    for row, (name, values, quality) in enumerate(rows):
        for n, picture in enumerate(pictures_of(values.numpy(), recordings=False)):
            axis = axes[row * count + n]
            axis.imshow(picture, cmap="gray" if picture.ndim == 2 else None, vmin=0, vmax=255, interpolation="nearest")
            bare(axis)
            if quality is not None:
                axis.set_xlabel(f"{quality[n]:.1f} dB", fontsize=8)
        axes[row * count].set_ylabel(name, fontsize=9)
    made.suptitle(f"noise of {level:g} of the range; {np.mean(after - before):+.1f} dB on average", fontsize=10)
    return made


def through_noise(model: LatentModel, images: Tensor, level: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images (N, C, H, W) in [-1, 1] with noise, and their reconstructions, both in [-1, 1]."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed), dtype=images.dtype)
    noisy = (images + 2 * level * noise).clamp(-1, 1)
    return noisy, model.decode(model.encode(noisy, seed=seed)).clamp(-1, 1)


def psnr(images: Tensor, clean: Tensor) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio of each of N images in [-1, 1], decibels."""
    error = ((images - clean) / 2).double().square().flatten(1).mean(1)
    return (-10 * error.clamp_min(1e-12).log10()).numpy()
