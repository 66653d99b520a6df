"""Crops, against torchvision's and guided-diffusion's ways of doing the same."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from neurogen.data import DataError
from neurogen.data.crops import fit_image
from tests.neurogen.data.image_sets import pixels


@pytest.mark.parametrize(("height", "width"), [(218, 178), (149, 300), (148, 148), (151, 202)])
def test_fsvaes_crop_is_torchvisions_center_crop_and_resize(height: int, width: int) -> None:
    from torchvision.transforms import CenterCrop, Compose, Resize

    image = pixels(0, height, width)
    independent = Compose([CenterCrop(148), Resize((64, 64))])(Image.fromarray(image))
    assert np.array_equal(fit_image(image, 64, "fsvae148"), np.asarray(independent))


@pytest.mark.parametrize(("height", "width"), [(218, 178), (300, 411), (64, 90), (63, 63), (129, 128)])
def test_the_adm_crop_is_a_short_sides_resize_and_a_center_crop(height: int, width: int) -> None:
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as F

    image = pixels(1, height, width)
    picture = Image.fromarray(image)
    while picture.height // 2 >= 64 and picture.width // 2 >= 64:
        picture = F.resize(picture, [picture.height // 2, picture.width // 2], InterpolationMode.BOX)
    scale = 64 / min(picture.size)
    size = [round(picture.height * scale), round(picture.width * scale)]
    whole = np.asarray(F.resize(picture, size, InterpolationMode.BICUBIC))
    top, left = (whole.shape[0] - 64) // 2, (whole.shape[1] - 64) // 2
    assert np.array_equal(fit_image(image, 64, "adm"), whole[top : top + 64, left : left + 64])
    assert np.array_equal(fit_image(image, 64, "crop"), fit_image(image, 64, "adm"))


def test_the_crops_see_different_faces() -> None:
    image = np.zeros((218, 178, 3), np.uint8)
    image[35:183, 15:163] = 255  # the central 148x148
    assert (fit_image(image, 64, "fsvae148") == 255).all()
    assert not (fit_image(image, 64, "adm") == 255).all()


def test_a_picture_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected 148x148 pixels or more for data.fit=fsvae148, got 147x200"):
        fit_image(pixels(0, 200, 147), 64, "fsvae148")


def test_another_size_is_refused_where_nothing_is_to_be_fitted() -> None:
    with pytest.raises(DataError, match=r"expected 64x64 pixels for data.fit=none, got 64x70"):
        fit_image(pixels(0, 70, 64), 64, "none")
