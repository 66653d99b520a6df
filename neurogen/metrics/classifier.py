"""A small convolutional classifier per data set: not spiking and no part of any model, it only judges samples.

    conv 16 - pool - conv 32 - conv 32 - pool - conv 64 - pool - linear D = features - ReLU - linear 10 = logits

Convolutions are 3x3 with batch norm and ReLU. Features are taken before the ReLU: there they are nearer to the Gaussian
that the Frechet distance assumes; their mean square over the training items is 1. Images enter as brightness in [0, 1];
recordings as square roots of event counts in four equal-time bins, each bin and polarity a channel, so that the judge
sees in which saccade an event came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from event_tools import Events, to_frames
from neurogen.data.idx import DIGITS, FASHION
from neurogen.metrics.errors import MetricError
from neurogen.metrics.weights_folder import fill, read_weights
from neurogen.pretrained import HERE

CHUNK = 256  # items at once, always: a batch of another size may round differently
STEPS = 4  # equal-time bins of a recording
WIDTHS = (16, 32, 32, 64)
Inputs = NDArray[np.integer]  # images (N, C, H, W) uint8, or event counts (N, T, 2, H, W)


@dataclass(frozen=True)
class Form:
    """What a data set's items are. shape: of one item; width: D, of the features; sensor: (width, height) or None."""

    shape: tuple[int, ...]
    width: int
    classes: tuple[str, ...]
    sensor: tuple[int, int] | None = None


FORMS = {
    "mnist": Form((1, 28, 28), 64, DIGITS),
    "fashion": Form((1, 28, 28), 64, FASHION),
    "nmnist": Form((STEPS, 2, 32, 32), 32, DIGITS, (34, 34)),  # 100 test recordings allow no covariance wider than 32
}


@dataclass(frozen=True, eq=False)
class Judged:
    """features: (N, D) float32; logits: (N, K) float32."""

    features: NDArray[np.float32]
    logits: NDArray[np.float32]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) the likeliest class of each."""
        return self.logits.argmax(1).astype(np.int64)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """(N, K) softmax of the logits."""
        shifted = self.logits.astype(np.float64) - self.logits.max(1, keepdims=True)
        return np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)

    def __getitem__(self, index: NDArray[np.integer]) -> Judged:
        return Judged(self.features[index], self.logits[index])

    def __len__(self) -> int:
        return len(self.logits)


class Classifier(nn.Module):
    """x: (N, C, S, S) float32 -> features (N, D), logits (N, K)."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        channels, size = int(np.prod(form.shape[:-2])), form.shape[-1]
        a, b, c, d = WIDTHS
        self.maps = nn.Sequential(
            *_convolution(channels, a), nn.MaxPool2d(2),
            *_convolution(a, b), *_convolution(b, c), nn.MaxPool2d(2),
            *_convolution(c, d), nn.MaxPool2d(2),
        )  # fmt: skip
        self.features = nn.Linear(d * (size // 8) ** 2, form.width)
        self.logits = nn.Linear(form.width, len(form.classes))
        self.to(memory_format=torch.channels_last)  # half as long again on a CPU without

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(self.maps(x.contiguous(memory_format=torch.channels_last)).flatten(1))
        return features, self.logits(features.relu())


@dataclass(frozen=True, eq=False)
class Judge:
    """A trained classifier; `judge(inputs)` gives features and logits. measured: the figures of its card."""

    dataset: str
    network: Classifier
    measured: dict[str, float]

    @property
    def form(self) -> Form:
        """What it takes."""
        return FORMS[self.dataset]

    @torch.no_grad()
    def __call__(self, inputs: Inputs) -> Judged:
        """Of images (N, C, H, W) uint8 or counts (N, 4, 2, 32, 32); of one item as of many. Raises MetricError."""
        x = network_input(inputs, self.form)
        padded = torch.cat([x, x.new_zeros(-len(x) % CHUNK, *x.shape[1:])])
        parts = [self.network(part) for part in padded.split(CHUNK)]
        features, logits = (torch.cat(each)[: len(x)].numpy() for each in zip(*parts, strict=True))
        return Judged(features, logits)


def load_classifier(where: str | Path) -> Judge:
    """The shipped classifier of a data set (mnist, fashion, nmnist), or one in a folder; raises MetricError."""
    folder = HERE / f"{where}-classifier" if str(where) in FORMS else Path(where)
    description, tensors = read_weights(folder, "classifier")
    dataset = str(description.get("dataset"))
    if dataset not in FORMS:
        raise MetricError(f"{folder}: expected a classifier of {', '.join(FORMS)}, got {dataset!r}; train one of those")
    network = fill(Classifier(FORMS[dataset]), tensors, folder)
    return Judge(dataset, network, dict(description.get("measured") or {}))


def network_input(inputs: Inputs, form: Form) -> Tensor:
    """(N, C, S, S) float32 of images or counts of this form; raises MetricError for others and for none."""
    if inputs.shape[1:] != form.shape or not len(inputs):
        what = "images (N, C, H, W)" if form.sensor is None else "event counts (N, T, 2, H, W)"
        raise MetricError(f"expected {what} of shape {form.shape}, one or more, got {inputs.shape}; bring them to it")
    if form.sensor is None:
        return torch.from_numpy(inputs.astype(np.float32) / 255)
    return torch.from_numpy(np.sqrt(inputs.astype(np.float32))).flatten(1, 2)


def event_counts(recordings: Sequence[Events], form: Form = FORMS["nmnist"]) -> NDArray[np.int32]:
    """Counts (N, 4, 2, 32, 32) of recordings: equal-time bins, central crop. Raises MetricError for another sensor."""
    for events in recordings:
        if events.sensor_size != form.sensor:
            expected, got = ("x".join(map(str, size)) for size in (form.sensor, events.sensor_size))
            raise MetricError(f"expected recordings of a {expected} sensor, got {got}; convert them first")
    counts = [central(to_frames(events, STEPS).counts, form.shape[-1]) for events in recordings]
    return np.stack(counts) if counts else np.zeros((0, *form.shape), np.int32)


def central(counts: NDArray[Any], size: int) -> NDArray[Any]:
    """The middle (..., size, size) of (..., H, W)."""
    top, left = ((n - size) // 2 for n in counts.shape[-2:])
    return counts[..., top : top + size, left : left + size]


def _convolution(inside: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(inside, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
