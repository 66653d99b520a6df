"""The demo: recordings of handwritten digits in, recordings that a spiking network invented out, and a report.

Six acts: simulated recordings written as .bin and read back; a spiking VQ-VAE; a spiking prior over its codes; forty
recordings sampled by class; the decoder as files for a neuromorphic chip; a page that shows and measures it all. With
`data`, the same on real N-MNIST.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from event_tools import Events
from event_tools.realism import realism
from neurogen.config import StageOneConfig, load_config
from neurogen.data import RecordingData, classes_in_turn, open_data
from neurogen.exporting import TARGETS, ExportOptions, export_model, has_nir
from neurogen.model import Model, Samples, load
from neurogen.rates import firing_rates
from neurogen.recognition import CountClassifier
from neurogen.report import ReportInput, write_report
from neurogen.sampling import check_free, write_samples
from neurogen.training import train_run

PER_CLASS = 4
SHOWN = 20  # recordings of each kind that the page plays
COMPARED = 100  # real recordings that the generated ones are measured against, and as many for the floor
CODED = 200  # test recordings whose codes are counted
RATED = 40  # test recordings whose firing rates are taken
JUDGED = 5000  # recordings of a split, at most, that the classifier sees: its time grows as their square


def run_demo(out: Path, find_config: Callable[[str], Path], data: Path | None = None) -> dict[str, Any]:
    """Run or finish the demo in `out`; returns its figures. Finished training is kept, the rest is made anew.

    Raises OutputError for a folder that holds something else, since what the demo makes anew it removes first.
    """
    if not (out / "first_stage").is_dir():
        check_free(out)
    name, extra = ("digits", []) if data is None else ("nmnist-small", [f"data.path={data}"])
    first, second = out / "first_stage", out / "prior"
    _say(f"1/6  recordings ({'simulated digits' if data is None else data})")
    config = load_config(find_config(f"tts_vqvae/{name}"), extra)
    assert isinstance(config, StageOneConfig)
    train_set = open_data(config.data, config.model.steps, "train")
    test_set = open_data(config.data, config.model.steps, "test", scaling=train_set.scaling)
    _say(f"     {len(train_set)} to learn from, {len(test_set)} to compare with")
    _say("2/6  a spiking VQ-VAE with a temporal codebook")
    train_run(config, first, resume=first.exists())
    _say("3/6  a spiking prior over its codes")
    train_run(load_config(find_config(f"prior/{name}"), [f"first_stage={first}"]), second, resume=second.exists())
    _say("4/6  forty recordings, by class")
    model = load(second)
    labels = np.repeat(np.arange(len(model.classes)), PER_CLASS)
    samples = model.sample(len(labels), labels=labels, seed=0)
    recordings = out / "recordings"
    shutil.rmtree(recordings, ignore_errors=True)
    write_samples(samples, model, recordings, ("bin", "aedat4", "hdf5", "npz", "png", "html", "gif"), unfold=True)
    shutil.copyfile(recordings / "samples.gif", out / "recordings.gif")
    model.save(out / "model")
    _say("5/6  its decoder for a neuromorphic chip")
    shutil.rmtree(out / "chip", ignore_errors=True)
    exported = export_model(model, out / "chip", options=ExportOptions(TARGETS if has_nir() else ("netx",)))
    _say("6/6  how real they look")
    report, figures = _measure(model, samples, train_set, test_set, out, exported)
    write_report(out / "report.html", report)
    _say(f"     {out / 'report.html'}, {recordings}, {out / 'recordings.gif'}, {out / 'model'}")
    _say(f"     {out / 'chip' / 'report.html'}, its files beside it")
    return figures


def _measure(
    model: Model,
    samples: Samples,
    train_set: RecordingData,
    test_set: RecordingData,
    out: Path,
    exported: dict[str, Any],
) -> tuple[ReportInput, dict[str, Any]]:
    def some(count: int) -> Tensor:
        return test_set.batch(classes_in_turn(test_set.labels, count))

    generated = samples.recordings()
    real = [test_set.recording(i) for i in classes_in_turn(test_set.labels, COMPARED)]
    as_many = classes_in_turn(train_set.labels, len(samples))  # a smaller set has larger distances: a fair floor
    seen = [train_set.recording(i) for i in as_many]
    classifier = CountClassifier(*_judged(train_set))
    recognised = int((classifier.predict(samples.counts) == samples.labels).sum())
    rows = realism(generated, real, floor=(seen, real))
    figures: dict[str, Any] = {
        "recognised": f"{recognised} of {len(samples)}",
        "classifier_on_test": classifier.accuracy(*_judged(test_set)),
        "events_per_recording": float(np.mean([len(events) for events in generated])),
        "differ_on_the_chip": exported["agreement"]["float_simulated"] / exported["agreement"]["entries"],
    }
    shown = classes_in_turn(test_set.labels, SHOWN)
    report = ReportInput(
        title=f"neurogen demo: {model.config.data.name}",
        model=model,
        figures=figures,
        generated=[(model.classes[k], e) for k, e in zip(samples.labels, generated, strict=True)][: 2 * SHOWN : 2],
        real=_titled(model.classes, test_set, shown),
        generated_codes=samples.codes,
        real_codes=model.encode(some(CODED)).numpy(),
        realism=rows,
        rates=firing_rates(model.stored.network, some(RATED)),
        runs={"first stage": out / "first_stage", "prior": out / "prior"},
    )
    return report, figures


def _judged(data: RecordingData) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Counts (n, T, 2, H, W) and labels (n,) of at most JUDGED items, classes in turn."""
    chosen = classes_in_turn(data.labels, JUDGED)
    return data.prepared[data.index[chosen]], data.labels[chosen]


def _titled(classes: tuple[str, ...], data: RecordingData, index: NDArray[np.int64]) -> list[tuple[str, Events]]:
    return [(classes[data.labels[i]], data.recording(i)) for i in index]


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
