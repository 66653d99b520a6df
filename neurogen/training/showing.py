"""Where a model stands, as pictures: items above their reconstructions, recordings that play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from event_tools import Frames, to_events
from event_tools.counts import to_counts
from neurogen.config import StageOneConfig
from neurogen.data import Data, RecordingData
from neurogen.pictures import colour_counts, image_grid, save_png

PLAYED = 4


def show_reconstructions(
    folder: Path, step: int, x: Tensor, values: Tensor, data: Data, config: StageOneConfig
) -> None:
    """reconstructions_<step>.png (item above reconstruction), and for recordings a page that plays some."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"reconstructions_{step:08d}"
    if not isinstance(data, RecordingData):
        both = torch.cat((x, values)).clamp(-1, 1)
        pixels = ((both + 1) * 127.5).round().to(torch.uint8).numpy()
        save_png(folder / f"{name}.png", image_grid(pixels, columns=len(x)))
        return
    labels = data.labels[: len(x)]
    pairs = [data.scaling.undo(v.numpy(), labels).clip(0) for v in (x, values)]
    save_png(
        folder / f"{name}.png", image_grid(colour_counts(np.concatenate([p.sum(1) for p in pairs])), columns=len(x))
    )
    played = []
    for i in range(min(PLAYED, len(x))):
        title = data.classes[labels[i]]
        made = to_counts(pairs[1][i], config.recording.rounding, config.recording.dead_zone)
        played.append((f"{title}, real", data.recording(i)))
        played.append(
            (
                f"{title}, reconstructed",
                to_events(Frames(made, data.edges[i]), refractory_us=config.recording.refractory_us),
            )
        )
    from event_tools.viewer import write_page

    write_page(folder / f"{name}.html", played, title=f"reconstructions after {step} steps")
