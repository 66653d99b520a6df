"""One row of the table of codebooks: a finished prior and the first stage inside it, measured on its data.

    python benchmarks/codebook_rows.py PRIOR_RUN --data N-MNIST.zip --out row.json [--device cuda]

Part of `benchmarks/codebooks.py`, which runs it. Figures are of the test recordings unless they say otherwise.

bits              bits of one recording's codes under the prior: training, validation, test; best validation on the way
counts_bits       bits of its counts once the codes are known, under the decoder's Poisson rates; `total_bits` adds the
                  codes' bits: what a recording's frames cost to write down, the one figure that no form of codes bends
use               codebook perplexity and rows used, or mean entropy of a bit and bits that never change
probes            slices of the code over time put out of order before decoding (`neurogen.codebook.probes`): squared
                  error, histogram of counts, and distances of placed events
realism           distances to the test recordings (`event_tools.realism`)
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from quality import as_counts, cell_tv, same_labels, shown
from spikingjelly.activation_based import functional
from torch import Tensor

import neurogen
from event_tools import Events, Frames, to_events
from event_tools.atomic import replacing
from event_tools.filters import crop
from event_tools.profile import RateCurve
from event_tools.realism import compare
from neurogen.codebook.probes import PROBES
from neurogen.codebook.usage import use_figures
from neurogen.data import RecordingData, open_data
from neurogen.model import CHUNK, Model
from neurogen.recognition import CountClassifier
from neurogen.training.device import choose_device
from neurogen.training.log import read_metrics

SAMPLES, CODED = 200, 500
TEMPORAL_ROWS = ("rate_tv", "log_isi_w1", "alternation")
LEAST_RATE = 1e-3  # of a Poisson distribution that has to explain whatever happens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", default="")
    parser.add_argument("--variant", default="")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = neurogen.load(options.run, str(choose_device(options.device)))
    config = model.config.data.model_copy(update={"path": str(options.data)})
    data = {
        split: open_data(config, model.config.model.steps, split, model.stored.scaling)
        for split in ("train", "validation", "test")
    }
    figures, pictures = measure(model, data)
    first = Path(model.stored.prior_config.first_stage)
    figures |= {"set": options.set, "variant": options.variant}
    curve = [row for row in read_metrics(options.run / "metrics.csv") if "val_bits_per_item" in row]
    best = min(curve, key=lambda row: row["val_bits_per_item"])
    figures |= {"best_validation_bits": best["val_bits_per_item"], "best_validation_step": int(best["step"])}
    figures["prior_steps"] = int(curve[-1]["step"])
    figures["seconds"] = {what: seconds(run) for what, run in (("first_stage", first), ("prior", options.run))} | {
        "samples": figures.pop("sampling_seconds")
    }
    np.savez_compressed(options.out.with_suffix(".npz"), **pictures)
    with replacing(options.out) as temporary:
        temporary.write_text(json.dumps(rounded(figures), indent=1))


def measure(model: Model, data: dict[str, RecordingData]) -> tuple[dict[str, object], dict[str, NDArray[np.integer]]]:
    """All figures that need no run folder, and counts to show: real and generated, a digit of each class."""
    test = data["test"]
    codes = model.encode(test.batch(np.arange(len(test))))
    values = model.decode(codes)
    bits = {split: bits_per_item(model, part) for split, part in data.items()}
    figures: dict[str, object] = {
        "parameters": [
            sum(p.numel() for p in part.parameters()) for part in (model.stored.network, model.stored.prior)
        ],
        "bits_per_site": bits_per_site(model),
        "use": use_figures(model.code_form.items_first(codes), model.code_form),
        "bits": bits,
        **faithfulness(model, test, values),
    }
    figures["total_bits"] = bits["test"] + figures["counts_bits"]
    labels = np.resize(test.labels, SAMPLES)
    model.sample(1)
    started = time.perf_counter()
    samples = model.sample(SAMPLES, labels=labels, seed=0)
    figures["sampling_seconds"] = time.perf_counter() - started
    rebuilt = model.finish(values, codes, test.labels)
    classifier = CountClassifier(*shown(data["train"]))
    figures["recognised"] = {
        "real": classifier.accuracy(*shown(test)),
        "reconstructed": classifier.accuracy(as_counts(rebuilt), test.labels),
        "generated": classifier.accuracy(as_counts(samples), samples.labels),
    }
    look = Looks(model, test)
    seen = [data["train"].recording(i) for i in same_labels(data["train"].labels, test.labels)]
    figures["realism"] = {
        "floor": compare(look.fitted(seen), look.real),
        "reconstructed": look.distances(rebuilt.counts, test.edges),
        "generated": look.distances(samples.counts, np.broadcast_to(samples.edges, (SAMPLES, len(samples.edges)))),
    }
    figures["probes"] = probes(model, test, codes, look)
    first_of_class = [int(np.flatnonzero(test.labels == k)[0]) for k in range(len(model.classes))]
    each = model.sample(len(model.classes), labels=np.arange(len(model.classes)), seed=0)
    pictures = {"real": np.asarray(test.counts)[first_of_class], "rebuilt": rebuilt.counts[first_of_class]}
    return figures, pictures | {"generated": each.counts}


class Looks:
    """Counts placed in time as the model does, cropped as its frames are, beside the real test recordings."""

    def __init__(self, model: Model, test: RecordingData) -> None:
        self.model, info, scaling = model, model.stored.data_info, model.stored.scaling
        self.profile = RateCurve.from_dict(info.profile)
        (width, height), size = scaling.sensor_size, scaling.resolution
        self.window = ((width - size) // 2, (height - size) // 2, size, size)
        self.real = self.fitted([test.recording(i) for i in range(len(test))])

    def fitted(self, recordings: list[Events]) -> list[Events]:
        return [crop(events, *self.window) for events in recordings]

    def distances(self, counts: NDArray[np.integer], edges: NDArray[np.int64]) -> dict[str, float]:
        refractory = self.model.config.recording.refractory_us
        placed = [
            to_events(Frames(c, e), seed=i, placement="profile", profile=self.profile, refractory_us=refractory)
            for i, (c, e) in enumerate(zip(counts, edges, strict=True))
        ]
        return compare(self.fitted(placed), self.real)


def bits_per_site(model: Model) -> float:
    """What the codes of one site could tell at most."""
    form = model.code_form
    return max(form.steps, 1) * (form.bits or float(np.log2(form.size)))


def bits_per_item(model: Model, data: RecordingData) -> float:
    index = np.arange(min(len(data), CODED))
    codes = model.code_form.items_first(model.encode(data.batch(index))).to(model.device)
    labels = torch.from_numpy(data.labels[index]).to(model.device)
    return model.stored.prior.bits_per_code(codes, labels, batch=64) * model.stored.prior.codes_per_item


def faithfulness(model: Model, test: RecordingData, values: Tensor) -> dict[str, float]:
    """Squared errors of a count before and after rounding, and Poisson bits of a recording's counts."""
    true = torch.from_numpy(test.scaling.fitted(test.counts).astype(np.float64))
    rate = values.double() * test.scaling.scale
    safe = rate.clamp_min(LEAST_RATE)
    nats = safe - true * safe.log() + torch.lgamma(true + 1)
    return {
        "mse": float((rate - true).square().mean()),
        "mse_rounded": float((rate.round() - true).square().mean()),
        "variance": float(true.var()),
        "counts_bits": float(nats.sum() / len(true) / np.log(2)),
    }


def probes(model: Model, test: RecordingData, codes: Tensor, look: Looks) -> dict[str, dict[str, float]]:
    true = test.scaling.fitted(test.counts).astype(np.float64)
    found = {}
    for name, change in PROBES.items():
        values = decoded_rows(model, codes, change)
        counts = model.finish(values, codes, test.labels).counts
        distances = look.distances(counts, test.edges)
        found[name.replace("_", " ")] = {
            "mse": float(np.square(values.double().numpy() * test.scaling.scale - true).mean()),
            "cell_tv": cell_tv(test.scaling.fitted(counts).astype(np.float64), true),
            **{row: distances[row] for row in TEMPORAL_ROWS},
        }
    return found


@torch.inference_mode()
def decoded_rows(model: Model, codes: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Decode codes whose slices over time, (T, n, D, h, w), were changed on the way."""
    stage, parts = model.stored.network, []
    for part in codes.split(CHUNK, model.code_form.item_axis):
        functional.reset_net(stage)
        rows = change(stage.codebook.lookup(part.to(model.device)).contiguous())
        parts.append(stage._decoded(rows.contiguous()).float().cpu())
    return torch.cat(parts)


def seconds(run: Path) -> float | None:
    """What training took, where it was not interrupted."""
    path = run.with_name(f"{run.name}.seconds.json")
    return json.loads(path.read_text())["seconds"] if path.is_file() else None


def rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
