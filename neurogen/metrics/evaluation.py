"""Everything that can be measured of a source, section by section, as plain figures.

A section is one family of metrics: a function of an `Evaluation` that gives a flat dict. One that cannot run, because
an optional package, its weights or labels are missing, says so in a sentence: asked for by name that is an error,
otherwise it stands under "not measured" and the others go on.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurogen.data import DataError
from neurogen.metrics.autoencoder_figures import DRAWS, AutoencoderDistance
from neurogen.metrics.errors import MetricError
from neurogen.metrics.extractors import Extractor, open_extractor
from neurogen.metrics.protocols import PAPER_COUNT, PROTOCOLS, Protocol
from neurogen.metrics.sources import Generated, Source
from neurogen.progress import bar

Figures = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """count: None takes the protocol's; extractor, inception: paths of weights, None the shipped and the cached ones;
    out: a folder for pictures."""

    protocol: Protocol = PROTOCOLS["standard"]
    count: int | None = None
    seed: int = 0
    extractor: Path | None = None
    inception: Path | None = None
    out: Path | None = None


class Evaluation:
    """A source, what it is compared with, and what sections share: each is made once, when the first asks for it."""

    def __init__(self, source: Source, settings: Settings = Settings()) -> None:
        self.source, self.settings = source, settings
        self.reference = source.reference.at_native_size()

    @cached_property
    def generated(self) -> Generated:
        """What the source makes."""
        protocol, count = self.settings.protocol, self.settings.count
        default = protocol.recordings if self.source.reference.makes_recordings else protocol.images
        with bar("samples", count or default) as progress:
            return self.source.make(count, default, self.settings.seed, progress)

    @property
    def images(self) -> NDArray[np.uint8]:
        """Generated images (N, C, H, W)."""
        assert self.generated.images is not None
        return self.generated.images

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of what was generated; raises MetricError where it has none."""
        if self.generated.labels is None:
            raise MetricError(
                f"expected labels for this metric, {self.source.what} has none: {self.generated.unlabelled}"
            )
        return self.generated.labels

    @cached_property
    def extractor(self) -> Extractor:
        """Of the autoencoder distance."""
        return open_extractor(self.reference.name, self.settings.extractor)


@dataclass(frozen=True)
class Section:
    """measure: its figures; needs: what the source must have: images, recordings, model, prior."""

    measure: Callable[[Evaluation], Figures]
    needs: tuple[str, ...]


def fad_eval(evaluation: Evaluation) -> Figures:
    """Autoencoder distance with running statistics."""
    return _autoencoder(evaluation, "eval", evaluation.settings.protocol.reference)


def fad_paper(evaluation: Evaluation) -> Figures:
    """Autoencoder distance as published; its reference is the test split by definition."""
    return _autoencoder(evaluation, "paper", "test")


def _autoencoder(evaluation: Evaluation, mode: Any, split: str) -> Figures:
    reference, seed = evaluation.reference, evaluation.settings.seed
    distance = AutoencoderDistance(evaluation.extractor, mode, reference.images(split))
    images = evaluation.images
    figures: Figures = {"generated": distance.of(images, seed)}
    with bar(f"floor, {mode}", DRAWS) as progress:
        figures |= distance.floor(reference.images("train"), len(images), seed, progress)
    return figures | {
        "count": PAPER_COUNT if mode == "paper" else len(images),
        "reference": split,
        "resize": "32x32, PIL bilinear",
        "extractor": evaluation.extractor.source,
    }


SECTIONS: dict[str, Section] = {
    "fad": Section(fad_eval, ("images",)),
    "fad-paper": Section(fad_paper, ("images",)),
}


def evaluate(source: Source, metrics: Sequence[str] = (), settings: Settings = Settings()) -> Figures:
    """All figures by section, and what they were measured with.

    metrics: names of sections; none takes the protocol's, or all that fit the source. Raises MetricError for one that
    is unknown, does not fit or, asked for by name, cannot be computed.
    """
    wanted = [check_name(name) for name in metrics] or list(settings.protocol.metrics) or list(SECTIONS)
    evaluation, has = Evaluation(source, settings), _has(source)
    figures: Figures = {}
    missing: dict[str, str] = {}
    for name in wanted:
        lacking = [need for need in SECTIONS[name].needs if need not in has]
        if lacking and metrics:
            raise MetricError(f"{name} needs {' and '.join(lacking)}, which {source.what} does not have; leave it out")
        if lacking:
            continue
        try:
            figures[name] = SECTIONS[name].measure(evaluation)
        except (MetricError, DataError, ImportError, NotImplementedError) as error:
            if metrics:
                raise
            missing[name] = str(error)
    return _heading(evaluation) | figures | ({"not_measured": missing} if missing else {})


def check_name(name: str) -> str:
    """The name itself; raises MetricError for an unknown one, with the nearest known."""
    if name in SECTIONS:
        return name
    near = difflib.get_close_matches(name, SECTIONS, 1, 0.5)
    advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(SECTIONS)}"
    raise MetricError(f"unknown metric {name}; {advice}")


def _has(source: Source) -> set[str]:
    has = {"recordings" if source.reference.makes_recordings else "images"}
    if source.model is None:
        return has
    if source.model.stored.prior is None:
        has = set()
    return has | {"model"} | ({"prior"} if source.model.stored.prior is not None else set())


def _heading(evaluation: Evaluation) -> Figures:
    source, settings = evaluation.source, evaluation.settings
    made = evaluation.__dict__.get("generated")
    heading = {
        "what": source.what,
        "kind": source.kind,
        "data_set": source.reference.name,
        "protocol": settings.protocol.name,
        "reference": settings.protocol.reference,
        "seed": settings.seed,
        "count": None if made is None else len(made),
        "neurogen": version("neurogen"),
    }
    return heading | ({} if source.model is None else {"model_sha256": source.model.stored.sha256})
