"""Pictures and films of recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from event_tools import Events
from event_tools.viewer import write_gif


def test_a_gif_shows_each_event_once_in_its_window(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    events = Events([5_000, 25_000], [0, 1], [0, 2], [1, 0], (3, 4))
    scale = 26  # 102 pixels over the longer side, 4
    places = {}
    with image_module.open(write_gif(tmp_path / "one.gif", events, step_us=10_000, window_us=10_000)) as image:
        assert image.n_frames == 3 and image.info["loop"] == 0
        for frame in range(3):
            image.seek(frame)
            pixels = np.asarray(image.convert("RGB"))[8::scale, 8::scale][:4, :3]
            lit = zip(*np.nonzero(pixels.max(2) > 60), strict=True)
            places[frame] = [(int(y), int(x), int(np.argmax(pixels[y, x]))) for y, x in lit]
    assert places == {0: [(0, 0, 2)], 1: [], 2: [(2, 1, 0)]}  # ON is bluest, OFF is reddest


def test_a_gif_holds_recordings_of_different_length_side_by_side(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    one = Events([0, 40_000], [0, 1], [0, 1], [1, 0], (34, 34))
    late = Events([1_700_000_000_000_000], [0], [0], [1], (34, 34))
    path = write_gif(tmp_path / "many.gif", [("a", one), ("b", late), ("c", Events.empty((34, 34)))])
    with image_module.open(path) as image:
        delays = []
        for frame in range(image.n_frames):  # equal pictures are stored once, for longer
            image.seek(frame)
            delays.append(image.info["duration"])
    assert sum(delays) == 5 * 70


def test_a_long_recording_makes_at_most_300_pictures(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    t = np.arange(1000) * 60_000
    events = Events(t, np.arange(1000) % 2, np.arange(1000) // 2 % 2, np.arange(1000) % 2, (2, 2))
    with image_module.open(write_gif(tmp_path / "long.gif", events)) as image:
        assert image.n_frames <= 301


def test_a_gif_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected"):
        write_gif(tmp_path / "bad.gif", [("a", Events.empty((3, 3)))], fps=0)
    assert not list(tmp_path.iterdir())
