"""The section of recordings: generated, reconstructed and recounted ones beside the test recordings."""

from __future__ import annotations

from typing import Any

import numpy as np

from event_tools import Events, Frames, to_events
from neurogen.metrics.evaluation import Evaluation
from neurogen.metrics.recordings import Labelled, central_window, recording_figures
from neurogen.metrics.sources import Generated

MOST = 2_000  # real recordings of a split that are compared, evenly chosen


def realism(evaluation: Evaluation) -> dict[str, Any]:
    """Distances to the test recordings with their floors; a model's are cropped as its frames are.

    A model that encodes also shows what bounds them: `reconstructed`, the test recordings there and back, and
    `recounted`, their true counts placed anew in time as the model places its own.
    """
    reference = evaluation.own
    test = reference.recordings("test")
    generated = Labelled(evaluation.generated.recordings or [], evaluation.generated.labels)
    window, beside = None, dict[str, list[Events]]()
    if evaluation.source.model is not None:
        scaling = evaluation.source.model.stored.scaling
        if scaling is not None and scaling.fit == "crop":
            window = central_window(scaling.sensor_size, scaling.resolution)
    if evaluation.encodes:
        rebuilt, counts, edges = evaluation.rebuilt("test"), test.counts, test.edges
        made, shown = rebuilt.recordings(test), evenly(len(test))
        beside["reconstructed"] = [made[i] for i in shown]
        beside["recounted"] = [to_events(Frames(counts[i], edges[i]), seed=i, **rebuilt.placement) for i in shown]
    real = (some_of(evaluation.real_recordings(split)) for split in ("test", "train"))
    figures = recording_figures(generated, *real, window, beside)
    return figures | {"reference": "test"} | ({} if window is None else {"window": "{2}x{3}+{0}+{1}".format(*window)})


def some_of(real: Generated) -> Labelled:
    """At most MOST real recordings with their labels."""
    assert real.recordings is not None
    return Labelled(real.recordings, real.labels).chosen(evenly(len(real.recordings)))


def evenly(items: int) -> list[int]:
    """At most MOST positions."""
    return [int(i) for i in np.linspace(0, items - 1, min(items, MOST))]
