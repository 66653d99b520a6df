"""Pictures made square, by the published rules.

adm: halved by a box filter while the shorter side is at least twice the size, bicubic to the size, central square
(guided-diffusion's image_datasets; arXiv 2405.14474 uses it for every set of images). crop and resize are the same.
fsvae148: the central 148x148 pixels, bilinear to the size, as FSVAE (Kamata, Mukuta, Harada, AAAI 2022) and others do
with CelebA; it keeps less of the background, so that figures of the two do not compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neurogen.data.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FSVAE_SIDE = 148


def fit_image(image: NDArray[np.uint8], size: int, fit: str = "adm") -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) to (size, size) or (size, size, 3); raises DataError where the picture cannot be cut so."""
    from PIL import Image

    height, width = image.shape[:2]
    if fit == "none":
        if (height, width) != (size, size):
            raise DataError(
                f"expected {size}x{size} pixels for data.fit=none, got {width}x{height}; "
                f"set data.fit=adm or data.resolution={height}"
            )
        return image
    if fit == "fsvae148":
        if min(height, width) < FSVAE_SIDE:
            raise DataError(
                f"expected {FSVAE_SIDE}x{FSVAE_SIDE} pixels or more for data.fit=fsvae148, got {width}x{height}; "
                f"set data.fit=adm"
            )
        return np.asarray(_fsvae(Image.fromarray(image), size))
    if (height, width) == (size, size):
        return image
    return np.asarray(_adm(Image.fromarray(image), size))


def _adm(picture: Image, size: int) -> Image:
    from PIL.Image import Resampling

    while min(picture.size) >= 2 * size:
        picture = picture.resize((picture.width // 2, picture.height // 2), Resampling.BOX)
    scale = size / min(picture.size)
    wanted = (round(picture.width * scale), round(picture.height * scale))
    picture = picture.resize(wanted, Resampling.BICUBIC)
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    return picture.crop((left, top, left + size, top + size))


def _fsvae(picture: Image, size: int) -> Image:
    """Half pixels are rounded to even, as torchvision's CenterCrop does."""
    from PIL.Image import Resampling

    left, top = round((picture.width - FSVAE_SIDE) / 2), round((picture.height - FSVAE_SIDE) / 2)
    picture = picture.crop((left, top, left + FSVAE_SIDE, top + FSVAE_SIDE))
    return picture.resize((size, size), Resampling.BILINEAR)
