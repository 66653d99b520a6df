"""Recordings as films: .mp4, .gif, .apng, or a folder of numbered .png; neither is held whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from event_tools.atomic import filling, replacing
from event_tools.viewer.colours import colours
from event_tools.viewer.gif import Gif
from event_tools.viewer.mp4 import Mp4
from event_tools.viewer.png import Apng, png_bytes
from event_tools.viewer.rendering import Film, Recording, duration_us, titled

STEP_US, GIF_PICTURES = 10_000, 300
KINDS = (".mp4", ".gif", ".apng", "")


class _Writer(Protocol):
    """Takes pictures one by one; `finish` after the last, `close` in any case."""

    def add(self, picture: NDArray[np.uint8]) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


def write_video(
    path: str | Path,
    recordings: Recording | Sequence[tuple[str, Recording] | str | Path],
    *,
    fps: float = 30,
    step_us: int | None = None,
    window_us: int | None = None,
    scale: int | None = None,
    palette: str = "cyan-pink",
    ground: str = "dark",
) -> Path:
    """Write a film of a recording, or of several, each (title, recording) or a path, side by side; returns its path.

    path: .mp4, .gif, .apng, or a new folder for numbered .png. recordings: each as Events, as their parts in order of
    time, or as a file's path. step_us: recorded time from picture to picture, by default 10 ms (for a GIF of Events
    more where that makes over 300 pictures); 1e6 / fps is the speed of life. window_us: how long an event stays to be
    seen, by default five steps. scale: a sensor's pixel in pixels, by default what fills a screen. palette, ground:
    see `colours`. Raises ValueError, OSError, EventFileError for a file, and ImportError with the pip line where
    imageio-ffmpeg (.mp4) or Pillow (.gif, titles) is missing.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise ValueError(f"expected a film to end in .mp4, .gif or .apng, or a folder for .png, got {path.name}")
    shown = titled(recordings)
    if step_us is None:
        length = duration_us(shown) if kind == ".gif" else None
        step_us = max(STEP_US, -(-(length or 0) // GIF_PICTURES))
    film = Film(shown, step_us, 5 * step_us if window_us is None else window_us, scale, colours(palette, ground))
    if kind == "":
        _write_folder(path, film)
        return path
    with replacing(path) as temporary:
        if kind == ".mp4":
            _record(film, Mp4(temporary, film.size, film.table, fps))
        else:
            with open(temporary, "wb") as file:
                _record(film, (Gif if kind == ".gif" else Apng)(file, film.size, film.table, fps))
    return path


def write_gif(
    path: str | Path,
    recordings: Recording | Sequence[tuple[str, Recording] | str | Path],
    step_us: int | None = None,
    window_us: int | None = None,
    fps: float = 15,
) -> Path:
    """`write_video` of a .gif, slower."""
    if Path(path).suffix.lower() != ".gif":
        raise ValueError(f"expected a GIF to end in .gif, got {Path(path).name}")
    return write_video(path, recordings, fps=fps, step_us=step_us, window_us=window_us)


def _record(film: Film, writer: _Writer) -> None:
    try:
        for picture in film:
            writer.add(picture)
        writer.finish()
    finally:
        writer.close()


def _write_folder(path: Path, film: Film) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"expected a new or empty folder for pictures, {path} is in use; take another name")
    with filling(path) as folder:
        for number, picture in enumerate(film):
            (folder / f"{number:06d}.png").write_bytes(png_bytes(picture, film.table))
