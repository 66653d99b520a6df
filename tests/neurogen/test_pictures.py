"""Arrays as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurogen.pictures import OFF, ON, colour_counts, frame_strip, image_grid, save_png


def test_a_grid_lays_images_out_row_by_row() -> None:
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    sheet = image_grid(images, columns=3, scale=1)
    assert sheet.shape == (1, 4, 6)  # two rows of one pixel and its gap, three columns
    assert sheet[0, 0, ::2].tolist() == [0, 1, 2]
    assert sheet[0, 2, ::2].tolist() == [3, 4, 5]


def test_polarities_have_their_colours() -> None:
    counts = np.zeros((2, 1, 2), int)
    counts[0, 0, 0], counts[1, 0, 1] = 4, 4
    colours = colour_counts(counts, top=4)
    assert np.array_equal(colours[:, 0, 0], OFF.astype(np.uint8))
    assert np.array_equal(colours[:, 0, 1], ON.astype(np.uint8))


def test_unfolded_frames_stand_side_by_side() -> None:
    assert frame_strip(np.ones((3, 4, 2, 5, 7), int)).shape == (3, 3 * 6 * 2, 4 * 8 * 2)


def test_a_png_holds_the_pixels(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 7)).astype(np.uint8)
    save_png(tmp_path / "x.png", image)
    with Image.open(tmp_path / "x.png") as picture:
        assert np.array_equal(np.moveaxis(np.asarray(picture), -1, 0), image)


def test_two_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 1 or 3 channels, got 2"):
        save_png(tmp_path / "x.png", np.zeros((2, 4, 4), np.uint8))
    assert list(tmp_path.iterdir()) == []
