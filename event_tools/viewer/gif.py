"""Recordings side by side in an animated GIF, ON and OFF in the player's colours, older events dimmer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.atomic import replacing
from event_tools.events import Events

GROUND, PAGE, TEXT = 0, 1, 2  # palette: three plain colours, then SHADES of OFF and of ON, dim to bright
SHADES = 8
COLOURS = {
    "ground": (5, 7, 12),
    "page": (13, 17, 23),
    "text": (230, 237, 243),
    "off": (247, 37, 133),
    "on": (76, 201, 240),
}
STEP_US, MAX_FRAMES = 10_000, 300
TILE_PX, GAP_PX, TITLE_PX = 102, 8, 16


def write_gif(
    path: str | Path,
    recordings: Events | Sequence[tuple[str, Events]],
    step_us: int | None = None,
    window_us: int | None = None,
    fps: int = 15,
) -> Path:
    """Write one recording, or (title, events) recordings side by side; returns the path.

    step_us: recorded time from picture to picture, by default 10 ms, or more where that makes over 300 pictures;
    window_us: how long an event stays to be seen, by default five steps. Raises ValueError, and ImportError that names
    the package where Pillow is missing.
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise ImportError("expected Pillow to write a GIF, it is not installed: pip install pillow") from None

    tiles = [("", recordings)] if isinstance(recordings, Events) else list(recordings)
    if not tiles:
        raise ValueError("expected at least one recording to show, got none")
    starts = [_start(events) for _, events in tiles]
    end = max(
        (int(events.t[-1]) - start for (_, events), start in zip(tiles, starts, strict=True) if len(events)), default=0
    )
    step = step_us or max(STEP_US, -(-end // MAX_FRAMES))
    window = window_us or 5 * step
    if step < 1 or window < 1 or not 1 <= fps <= 50:
        raise ValueError(f"expected step_us and window_us above 0 and fps from 1 to 50, got {step}, {window} and {fps}")
    scale = max(1, round(TILE_PX / max(max(events.sensor_size) for _, events in tiles)))
    boxes, size = _layout([events.sensor_size for _, events in tiles], scale, titled=any(title for title, _ in tiles))
    pictures = []
    for now in range(step, end + step + 1, step):
        canvas = np.full(size, PAGE, np.uint8)
        for (_, events), start, (top, left) in zip(tiles, starts, boxes, strict=True):
            tile = np.kron(_picture(events, start + now, window), np.ones((scale, scale), np.uint8))
            canvas[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
        picture: Any = Image.fromarray(canvas)
        picture.putpalette(_palette())
        for (title, _), (top, left) in zip(tiles, boxes, strict=True):
            ImageDraw.Draw(picture).text((left, top - TITLE_PX + 2), title, fill=TEXT)
        pictures.append(picture)
    with replacing(path) as temporary:
        delay = 10 * round(100 / fps)  # GIF counts in hundredths of a second
        pictures[0].save(
            temporary, "GIF", save_all=True, append_images=pictures[1:], duration=delay, loop=0, optimize=False
        )
    return Path(path)


def _start(events: Events) -> int:
    """Where the clock of a recording begins: 0 unless it was recorded on another clock, such as Unix time."""
    first = int(events.t[0]) if len(events) else 0
    return 0 if 0 <= first < 1_000_000 else first


def _layout(
    sizes: Sequence[tuple[int, int]], scale: int, titled: bool
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Top left corners of the tiles, in rows about one and a half times as wide as high, and (height, width) of all."""
    width, height = (scale * max(sides) for sides in zip(*sizes, strict=True))
    head = TITLE_PX if titled else 0
    columns = min(len(sizes), max(1, round((1.5 * len(sizes)) ** 0.5)))
    rows = -(-len(sizes) // columns)
    down, across = height + head + GAP_PX, width + GAP_PX
    boxes = [(GAP_PX + i // columns * down + head, GAP_PX + i % columns * across) for i in range(len(sizes))]
    return boxes, (rows * down + GAP_PX, columns * across + GAP_PX)


def _picture(events: Events, now: int, window: int) -> NDArray[np.uint8]:
    """(H, W) palette indices of the events with now - window <= t < now, the latest of a pixel on top."""
    width, height = events.sensor_size
    low, high = np.searchsorted(events.t, (now - window, now))
    shown = slice(low, high)
    fresh = (events.t[shown] - (now - window)) * SHADES // window
    picture = np.full((height, width), GROUND, np.uint8)
    # Assignment to repeated places keeps the last value, the latest event.
    picture[events.y[shown], events.x[shown]] = 3 + events.p[shown] * SHADES + fresh
    return picture


def _palette() -> list[int]:
    ground = np.array(COLOURS["ground"])
    share = np.linspace(0.3, 1.0, SHADES)[:, None]
    shades = [ground + share * (np.array(COLOURS[name]) - ground) for name in ("off", "on")]
    plain = np.array([COLOURS[name] for name in ("ground", "page", "text")])
    return np.concatenate((plain, *shades)).round().astype(int).ravel().tolist()
