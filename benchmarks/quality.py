"""What a trained model reconstructs and invents, measured on data that it has not seen.

    python benchmarks/quality.py RUN [--data PATH] [--samples 200] [--seed 0]

One JSON line per figure. `reconstruction`: the test split through the first stage. `prior`: bits per code, and of all
codes of an item, on training, validation and test codes. `rates`: share of neurons that fire, by layer. `recognition`:
share of recordings or images that a small classifier, trained on the training split, gives their label. `realism`
(recordings): distances of `event_tools.realism` to the test recordings, cropped as the model's frames are, for
generated recordings, the true counts and their reconstructions placed anew, and training recordings with the same
labels (the floor); another floor is one half of the training recordings against the other. `copies`: distance to the
nearest training recording.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import neurogen
from event_tools import Events, Frames, to_events
from event_tools.filters import crop
from event_tools.profile import RateCurve
from event_tools.realism import compare
from neurogen.codebook.usage import use_figures
from neurogen.data import Data, RecordingData, open_data
from neurogen.model import Model
from neurogen.neurons import tune_allocator
from neurogen.rates import firing_rates
from neurogen.recognition import CountClassifier

LEARNED = 10_000  # items the classifier learns from, at most
CODED = 5_000  # items whose likelihood is measured, at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run or a model folder")
    parser.add_argument("--data", help="the data, where they are not where the run found them")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tune_allocator()
    model = neurogen.load(options.run)
    config = model.config.data.model_copy(update={"path": options.data} if options.data else {})
    splits = ("train", "validation", "test") if config.validation else ("train", "test")
    data = {split: open_data(config, model.config.model.steps, split, model.stored.scaling) for split in splits}
    test = data["test"]
    codes = model.encode(batch(test, len(test)))
    values = model.decode(codes)
    reconstruction(model, test, codes, values)
    report("rates", firing_rates(model.stored.first_stage, batch(test, 64)))
    if model.stored.prior is None:
        return
    bits = {split: bits_per_code(model, part) for split, part in data.items()}
    report("prior", {f"{split}_bits_per_code": value for split, value in bits.items()})
    each = model.stored.prior.codes_per_item
    report("prior", {f"{split}_bits_per_item": value * each for split, value in bits.items()})
    labels = test.labels if model.stored.prior_config.model.classes else None
    wanted = None if labels is None else np.resize(labels, options.samples)
    samples = model.sample(options.samples, labels=wanted, seed=options.seed)
    reconstructed = model.finish(values, codes, test.labels)
    classifier = CountClassifier(*shown(data["train"], LEARNED))
    recognition = {
        "real_test": classifier.accuracy(*shown(test)),
        "reconstructed_test": classifier.accuracy(as_counts(reconstructed), test.labels),
        "generated": classifier.accuracy(as_counts(samples), samples.labels),
    }
    report("recognition", recognition, samples=len(samples))
    if isinstance(test, RecordingData):
        realism(model, data["train"], test, reconstructed.counts, samples)
        copies(data["train"], test, samples.counts)


def report(figure: str, values: dict[str, float], **settings: object) -> None:
    line = {"benchmark": "quality", "figure": figure, **settings}
    print(json.dumps(line | {key: float(f"{value:.4g}") for key, value in values.items()}), flush=True)


def batch(data: Data, count: int) -> Tensor:
    return data.batch(np.arange(min(count, len(data))))


def reconstruction(model: Model, test: Data, codes: Tensor, values: Tensor) -> None:
    x = batch(test, len(test))
    figures = {"items": len(x), **use_figures(model.code_form.items_first(codes), model.code_form)}
    figures["mse"] = float((values - x).square().mean())
    if isinstance(test, RecordingData):
        true = test.scaling.fitted(test.counts).astype(np.float64)
        expected = test.scaling.fitted(test.scaling.undo(values.numpy(), test.labels))
        rounded = test.scaling.fitted(model.finish(values, codes, test.labels).counts).astype(np.float64)
        totals = rounded.sum((1, 2, 3, 4)) / true.sum((1, 2, 3, 4)) - 1
        figures |= {
            "variance_of_counts": float(true.var()),
            "mse_counts_real": float(np.square(expected - true).mean()),
            "mse_counts_rounded": float(np.square(rounded - true).mean()),
            "total_error": float(np.abs(totals).mean()),
            "total_bias": float(totals.mean()),
            "spurious": float((rounded * (neighbourhood(true) == 0)).sum() / rounded.sum()),
            "cell_count_tv": cell_tv(rounded, true),
            "events_lost_by_crop": test.lost_share,
        }
    report("reconstruction", figures)


def neighbourhood(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over 3x3 pixels of the same bin and polarity."""
    padded = np.pad(counts, [(0, 0)] * 3 + [(1, 1)] * 2)
    height, width = counts.shape[-2:]
    return sum(padded[..., y : y + height, x : x + width] for y in range(3) for x in range(3))


def cell_tv(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Total variation between the histograms of counts per cell."""
    length = int(max(a.max(), b.max())) + 1
    one, two = (np.bincount(x.astype(np.int64).ravel(), minlength=length) / x.size for x in (a, b))
    return float(np.abs(one - two).sum() / 2)


def bits_per_code(model: Model, data: Data) -> float:
    index = np.linspace(0, len(data) - 1, min(len(data), CODED)).astype(int)
    conditional = model.stored.prior_config.model.classes > 0
    labels = torch.from_numpy(data.labels[index]) if conditional else None
    return model.stored.prior.bits_per_code(model.code_form.items_first(model.encode(data.batch(index))), labels)


def shown(data: Data, count: int | None = None) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Event counts, or the brightness of images in their place, (N, T, C, H, W), and labels."""
    counts = data.counts if isinstance(data, RecordingData) else data.pixels[:, None]
    return np.asarray(counts[:count]), data.labels[:count]


def as_counts(samples: neurogen.Samples) -> NDArray[np.integer]:
    return samples.images[:, None] if samples.counts is None else samples.counts


def realism(
    model: Model, train: RecordingData, test: RecordingData, rebuilt: NDArray[np.int32], samples: neurogen.Samples
) -> None:
    scaling, info = model.stored.scaling, model.stored.data_info
    resolution, (width, height) = scaling.resolution, scaling.sensor_size
    window = ((width - resolution) // 2, (height - resolution) // 2, resolution, resolution)

    def fitted(recordings: Sequence[Events]) -> list[Events]:
        return [crop(events, *window) for events in recordings] if scaling.fit == "crop" else list(recordings)

    def placed(counts: NDArray[np.integer], edges: NDArray[np.int64], kind: str) -> list[Events]:
        profile = RateCurve.from_dict(info.profile) if kind == "profile" else None
        refractory = model.config.recording.refractory_us
        return [
            to_events(Frames(c, e), seed=i, placement=kind, refractory_us=refractory, profile=profile)
            for i, (c, e) in enumerate(zip(counts, edges, strict=True))
        ]

    real = fitted([test.recording(i) for i in range(len(test))])
    seen = fitted([train.recording(i) for i in same_labels(train.labels, np.resize(test.labels, 2 * len(test)))])
    report("realism", compare(seen[::2], seen[1::2]), what="floor: training against training")
    report("realism", compare(seen, real), what="floor: training against test")
    typical = np.array(info.edges, np.int64)
    for kind in ("uniform", "profile"):
        rows = {
            "true counts of the test": (np.asarray(test.counts), test.edges),
            "reconstructed test": (rebuilt, test.edges),
            "generated": (samples.counts, np.broadcast_to(typical, (len(samples), len(typical)))),
        }
        for what, (counts, edges) in rows.items():
            report("realism", compare(fitted(placed(counts, edges, kind)), real), what=what, placement=kind)


def same_labels(labels: NDArray[np.int64], wanted: NDArray[np.int64]) -> list[int]:
    """Different items with these labels, in that order; fewer where a label has not enough."""
    queues = {int(k): iter(np.flatnonzero(labels == k)) for k in np.unique(labels)}
    chosen = (next(queues[int(k)], None) for k in wanted)
    return [int(i) for i in chosen if i is not None]


def copies(train: RecordingData, test: RecordingData, made: NDArray[np.int32]) -> None:
    """L2 distance of square-root counts to the nearest training recording."""
    known = np.sqrt(np.asarray(train.counts, np.float32)).reshape(len(train), -1)
    for what, counts in (("samples", made), ("test", np.asarray(test.counts))):
        own = np.sqrt(counts.astype(np.float32)).reshape(len(counts), -1)
        squared = (own**2).sum(1)[:, None] + (known**2).sum(1)[None] - 2 * own @ known.T
        nearest = np.sqrt(squared.min(1).clip(0))
        report("copies", {"median": float(np.median(nearest)), "least": float(nearest.min())}, what=what)


if __name__ == "__main__":
    main()
