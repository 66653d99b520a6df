"""H.264 video in an .mp4 that plays everywhere (yuv420p, its index at the head), by the ffmpeg of imageio-ffmpeg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = "expected imageio-ffmpeg to write .mp4, it is not there: pip install imageio-ffmpeg"


class Mp4:
    """Takes the pictures of a film, (H, W) places in its colour table, both sides even; fps from 1 to 240."""

    def __init__(self, path: Path, size: tuple[int, int], table: NDArray[np.uint8], fps: float) -> None:
        if not 1 <= fps <= 240:
            raise ValueError(f"expected fps from 1 to 240 for a video, got {fps}")
        try:
            from imageio_ffmpeg import write_frames
        except ImportError:
            raise ImportError(MISSING) from None
        self._table = table
        self._ffmpeg: Any = write_frames(
            str(path),
            size,
            fps=fps,
            codec="libx264",
            quality=None,
            macro_block_size=2,
            ffmpeg_log_level="error",
            output_params=["-f", "mp4", "-crf", "18", "-movflags", "+faststart"],
        )
        self._ffmpeg.send(None)

    def add(self, picture: NDArray[np.uint8]) -> None:
        """One more picture."""
        self._ffmpeg.send(self._table[picture])

    def finish(self) -> None:
        """The end."""
        self.close()

    def close(self) -> None:
        """Wait for ffmpeg, also where something failed; again does nothing."""
        self._ffmpeg.close()
