"""Where a model stands, as pictures: items above their reconstructions, recordings that play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_tools import Frames, to_events
from event_tools.counts import spread_counts, to_counts
from neurogen.config_system import SystemConfig
from neurogen.data import Data, RecordingData
from neurogen.latent_model import LatentModel
from neurogen.pictures import colour_counts, image_grid, save_png

PLAYED = 4
PICTURED = 64


def show_reconstructions(
    folder: Path, step: int, index: NDArray[np.int64], values: Tensor, data: Data, config: SystemConfig
) -> None:
    """Items `index` of data and what came back for them, values in model units.

    reconstructions_<step>.png has each item above its reconstruction; recordings also get a page that plays some.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name, x = f"reconstructions_{step:08d}", data.batch(index)
    if not isinstance(data, RecordingData):
        both = torch.cat((x, values)).clamp(-1, 1)
        pixels = ((both + 1) * 127.5).round().to(torch.uint8).numpy()
        save_png(folder / f"{name}.png", image_grid(pixels, columns=len(x)))
        return
    labels = data.labels[index]
    pairs = [data.scaling.undo(v.numpy(), labels).clip(0) for v in (x, values)]
    summed = np.concatenate([counts.sum(1) for counts in pairs])
    save_png(folder / f"{name}.png", image_grid(colour_counts(summed), columns=len(x)))
    summed = data.scaling.fit == "sum"  # then whole counts are made at the model's size, and shared out at the sensor's
    expected = data.scaling.expected(values.numpy(), labels) if summed else pairs[1]
    played = []
    for row, i in enumerate(index[:PLAYED]):
        title = data.classes[labels[row]]
        made = to_counts(expected[row], config.recording.rounding, config.recording.dead_zone)
        made = spread_counts(made, data.scaling.factor) if summed else made
        again = to_events(Frames(made, data.edges[i]), refractory_us=config.recording.refractory_us)
        played += [(f"{title}, real", data.recording(int(i))), (f"{title}, reconstructed", again)]
    from event_tools.viewer import write_page

    write_page(folder / f"{name}.html", played, title=f"reconstructions after {step} steps")


def show_samples(folder: Path, step: int, model: LatentModel, seed: int) -> None:
    """samples_<step>.png: a grid of samples, classes in turn where the model knows them.

    Recordings also get a page that plays some.
    """
    labels = np.arange(PICTURED) % len(model.classes) if model.conditional else None
    samples = model.sample(PICTURED, labels=labels, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"samples_{step:08d}"
    images = samples.images if samples.images is not None else colour_counts(samples.counts.sum(1))
    save_png(folder / f"{name}.png", image_grid(images, columns=10 if model.conditional else 8))
    if samples.counts is None:
        return
    from event_tools.viewer import write_page

    titles = [model.classes[label] if model.conditional else str(i) for i, label in enumerate(samples.labels)]
    played = list(zip(titles[:PLAYED], samples.recordings()[:PLAYED], strict=True))
    write_page(folder / f"{name}.html", played, title=f"samples after {step} steps")
