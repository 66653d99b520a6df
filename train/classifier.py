"""Train the classifier that judges samples of a data set (neurogen/metrics/classifier.py), on one core.

    python -m train.classifier mnist --data PATH --out neurogen/pretrained/mnist-classifier

The last items of the training part (5,000 images, 100 recordings) are held out for validation; the test part is looked
at once, at the end. Writes a folder of weights and its card.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from neurogen.config import DataConfig
from neurogen.data import DataError, open_data
from neurogen.metrics.classifier import FORMS, STEPS, Inputs, Judge, central, load_classifier
from neurogen.metrics.fitting import BATCH, SHIFT, fit, new_classifier
from neurogen.metrics.weights_folder import write_card, write_weights
from neurogen.model_card import DATA_LICENCES
from neurogen.progress import bar
from train.hardware import cpu_name

STEPS_OF = {"mnist": 3600, "fashion": 4500, "nmnist": 400}
Split = tuple[Inputs, NDArray[np.int64]]
SPLITS = ("train", "validation", "test")
HELD_OUT = {"mnist": 5000, "fashion": 5000, "nmnist": 100}
NAMES = {"mnist": "MNIST", "fashion": "Fashion-MNIST", "nmnist": "N-MNIST"}


def main() -> None:
    options, (train, validation, test) = asked(__doc__, FORMS)
    started = time.perf_counter()
    judge = trained(options.dataset, *train, options.seed)
    seconds = time.perf_counter() - started
    measured = {
        "validation_accuracy": accuracy(judge, *validation),
        "test_accuracy": accuracy(judge, *test),
    }
    form = FORMS[options.dataset]
    description = {"dataset": options.dataset, "shape": list(form.shape), "width": form.width, "measured": measured}
    folder = write_weights(options.out, "classifier", description, judge.network.state_dict())
    facts = {
        "figures": ", ".join(f"{name.replace('_', ' ')} {value:.2%}" for name, value in measured.items()),
        "command": f"`python -m train.classifier {options.dataset} --data PATH --out FOLDER`, seed {options.seed}",
        "data": f"{NAMES[options.dataset]}, {len(train[1]):,} training items, {len(validation[1]):,} of the training "
        f"part held out for validation, {len(test[1]):,} test items",
        "training": f"{STEPS_OF[options.dataset]:,} steps of {BATCH}, shifts of up to {SHIFT} pixels",
        "wall time": f"{seconds:.0f} s on one core of a CPU shared with other work ({cpu_name()})",
        "torch": torch.__version__,
        "data licence": DATA_LICENCES[options.dataset],
        "code licence": "Apache-2.0",
    }
    about = [
        f"A classifier of {NAMES[options.dataset]}, not spiking: it judges samples in `neurogen evaluate`.",
        f"Input {form.shape}, features {form.width} wide (before the last ReLU), {len(form.classes)} classes; "
        "neurogen/metrics/classifier.py.",
    ]
    write_card(folder, f"{options.dataset}-classifier", about, facts)
    print({"folder": str(folder), "seconds": round(seconds), **load_classifier(folder).measured})


def asked(description: str | None, datasets: Iterable[str]) -> tuple[argparse.Namespace, list[Split]]:
    """What was asked for of a script that trains a judge, and the splits of its data set; ends with 2 without them."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=tuple(datasets))
    parser.add_argument("--data", type=Path, required=True, help="folder of idx files, or N-MNIST's folder or archive")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)  # another number of threads rounds differently
    try:
        return options, [opened(options.dataset, options.data, split) for split in SPLITS]
    except DataError as error:
        parser.exit(2, f"{error}\n")


def opened(dataset: str, path: Path, split: str) -> Split:
    """(inputs, labels) of train, validation or test."""
    form = FORMS[dataset]
    config = DataConfig(
        name=dataset,
        path=str(path),
        resolution=form.shape[-1],
        channels=form.shape[-3],
        fit="none" if form.sensor is None else "crop",
        validation=HELD_OUT[dataset],
    )
    data = open_data(config, STEPS, split)
    if form.sensor is None:
        return data.pixels, data.labels
    return central(data.counts, form.shape[-1]), data.labels


def trained(dataset: str, inputs: Inputs, labels: NDArray[np.int64], seed: int) -> Judge:
    """The classifier after its steps, with features of unit size."""
    form, steps = FORMS[dataset], STEPS_OF[dataset]
    with bar(f"training on {NAMES[dataset]}", steps) as progress:
        network = fit(new_classifier(form, seed), form, inputs, labels, steps, seed, lambda step, _: progress(step + 1))
    return of_unit_features(Judge(dataset, network, {}), inputs)


@torch.no_grad()
def of_unit_features(judge: Judge, inputs: Inputs) -> Judge:
    """The same classifier, whose features have a mean square of 1 over these inputs.

    The kernel distance takes features for about that size. A ReLU lets a factor pass, so that logits stay as they are.
    """
    size, network = float(np.sqrt(np.square(judge(inputs).features.astype(np.float64)).mean())), judge.network
    network.features.weight /= size
    network.features.bias /= size
    network.logits.weight *= size
    return judge


def accuracy(judge: Judge, inputs: Inputs, labels: NDArray[np.int64]) -> float:
    """Share of the items given their label."""
    return float((judge(inputs).predicted == labels).mean())


if __name__ == "__main__":
    main()
