"""Test items through a model and back, as pictures, recordings and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from event_tools import write
from event_tools.atomic import filling
from neurogen.codebook.usage import use_figures
from neurogen.data import classes_in_turn, open_data
from neurogen.model import Model
from neurogen.pictures import colour_counts, image_grid, save_png
from neurogen.processes import rank
from neurogen.sampling import check_free
from neurogen.training.distributed import leader_first
from neurogen.two_stage_model import TwoStageModel


def reconstruct_test_items(model: Model, out: Path, count: int, data: Path | None = None) -> dict[str, Any]:
    """Reconstruct `count` test items, classes in turn, into the new folder `out`; returns figures over them.

    mse is in model units; recordings also give the mean absolute error of their event totals. Several processes
    (`training.distributed.processes`) encode and decode a share each, and the first one writes. Raises OutputError or
    DataError.
    """
    check_free(out)
    config = model.config.data
    if data is not None:
        config = config.model_copy(update={"path": str(data)})
    with leader_first():
        test = open_data(config, model.config.model.steps, "test", scaling=model.stored.scaling)
    index = classes_in_turn(test.labels, count)
    x = test.batch(index, None)
    codes = model.encode(x, together=True)
    values = model.decode(codes, together=True)
    figures: dict[str, Any] = {"items": len(index), "mse": float(torch.mean((values - x) ** 2))}
    if isinstance(model, TwoStageModel):
        figures |= use_figures(model.items_first(codes), model.code_form)
    if rank():
        return figures
    samples = model.finish(values, codes, test.labels[index])
    with filling(out) as partial:
        if samples.counts is not None:
            true = np.asarray(test.counts[index])
            totals = samples.counts.sum((1, 2, 3, 4)), true.sum((1, 2, 3, 4))
            figures["event_total_error"] = float(np.mean(np.abs(totals[0] - totals[1]) / np.maximum(totals[1], 1)))
            both = np.stack([true.sum(1), samples.counts.sum(1)], 1).reshape(-1, *true.shape[2:])
            save_png(partial / "reconstructions.png", image_grid(colour_counts(both), columns=8))
            for n, (events, label) in enumerate(zip(samples.recordings(), samples.labels, strict=True)):
                path = partial / "Test" / model.classes[label] / f"{n:05d}.bin"
                path.parent.mkdir(parents=True, exist_ok=True)
                write(path, events)
        else:
            real = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
            both_images = np.stack([real, samples.images], 1).reshape(-1, *real.shape[1:])
            save_png(partial / "reconstructions.png", image_grid(both_images, columns=8))
    return figures
