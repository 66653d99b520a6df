"""What Pillow does for pictures here: titles, and the compression of GIF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = "expected Pillow to draw titles and to write GIF, it is not there: pip install pillow"


def with_titles(
    picture: NDArray[np.uint8], titles: Sequence[tuple[str, tuple[int, int]]], room: int, colour: int
) -> NDArray[np.uint8]:
    """A copy of the picture with (title, (left, top)) written on it, none wider than `room` pixels."""
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise ImportError(MISSING) from None
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.fontmode = "1"  # a table of colours has no greys for soft edges
    for title, place in titles:
        draw.text(place, _fitting(title, draw, room), fill=colour)
    return np.array(image)


def gif_picture(part: NDArray[np.uint8], left: int, top: int) -> bytes:
    """A picture at its place, as it stands in a GIF: descriptor and LZW."""
    try:
        from PIL import Image
        from PIL.GifImagePlugin import getdata
    except ImportError:
        raise ImportError(MISSING) from None
    return b"".join(getdata(Image.fromarray(part), (left, top)))


def _fitting(title: str, draw: Any, room: int) -> str:
    """As much of a title as there is room for."""
    if draw.textlength(title) <= room:
        return title
    while title and draw.textlength(title + "...") > room:
        title = title[:-1]
    return title + "..."
