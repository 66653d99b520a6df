"""Everything that can be measured of a source, section by section, as plain figures.

A section is one family of metrics: a function of an `Evaluation` that gives a flat dict. One that cannot run, because
an optional package, its weights or labels are missing, says so in a sentence: asked for by name that is an error,
otherwise it stands under "not_measured" and the others go on.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from neurogen.metrics import image_sections, judged_sections, model_sections, neighbour_section, recording_section
from neurogen.metrics.errors import MetricError
from neurogen.metrics.evaluation import Evaluation, Settings
from neurogen.metrics.sources import Source

Figures = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """measure: its figures; of: images, recordings or both; needs: "generated", something to sample or read, "model",
    "encoder", a model that has one, or "either"."""

    measure: Callable[[Evaluation], Figures]
    of: tuple[str, ...]
    needs: str


DRAWN = ("generated", "either")  # needs of sections that look at what is generated
IMAGES, BOTH = ("images",), ("images", "recordings")
SECTIONS: dict[str, Section] = {
    "fad": Section(image_sections.autoencoder_eval, IMAGES, "either"),
    "fad-paper": Section(image_sections.autoencoder_paper, IMAGES, "either"),
    "fid": Section(image_sections.inception, IMAGES, "generated"),
    "classifier": Section(judged_sections.classifier, BOTH, "generated"),
    "cas": Section(judged_sections.accuracy_score, BOTH, "generated"),
    "realism": Section(recording_section.realism, ("recordings",), "generated"),
    "reconstruction": Section(model_sections.reconstruction, BOTH, "encoder"),
    "codes": Section(model_sections.codes, BOTH, "encoder"),
    "neighbours": Section(neighbour_section.neighbours, BOTH, "generated"),
    "cost": Section(model_sections.model_cost, BOTH, "model"),
}


def evaluate(source: Source, metrics: Sequence[str], settings: Settings) -> Figures:
    """All figures by section, and what they were measured with.

    metrics: names of sections; none takes the protocol's, or all that fit the source. Raises MetricError for one that
    is unknown, does not fit or, asked for by name, cannot be computed.
    """
    wanted = [check_name(name) for name in metrics] or list(settings.protocol.metrics) or list(SECTIONS)
    evaluation = Evaluation(source, settings)
    lacking = {name: said for name in wanted if (said := _lacking(SECTIONS[name], evaluation))}
    if lacking and metrics:
        name, said = next(iter(lacking.items()))
        raise MetricError(f"expected {said} for the metric {name}, {source.what} has none; leave {name} out")
    evaluation.reference.split("test")  # what is wrong with the data or the source is an error, whatever is measured
    if evaluation.generates and any(SECTIONS[name].needs in DRAWN for name in wanted if name not in lacking):
        _ = evaluation.generated
    figures: Figures = {}
    missing: dict[str, str] = {}
    for name in (name for name in wanted if name not in lacking):
        try:
            figures[name] = SECTIONS[name].measure(evaluation)
        except (MetricError, ImportError) as error:
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


def _lacking(section: Section, evaluation: Evaluation) -> str:
    """What the source does not have, in words; empty where nothing is lacking."""
    kind = "recordings" if evaluation.own.makes_recordings else "images"
    if kind not in section.of:
        return " or ".join(section.of)
    if section.needs in ("model", "encoder") and evaluation.source.model is None:
        return "a model"
    if section.needs == "encoder" and not evaluation.encodes:
        return "an encoder"
    return "" if evaluation.generates or section.needs != "generated" else "a prior to draw samples from"


def _heading(evaluation: Evaluation) -> Figures:
    source, settings = evaluation.source, evaluation.settings
    heading = {
        "what": source.what,
        "kind": source.kind,
        "data_set": source.reference.name,
        "protocol": settings.protocol.name,
        "reference": settings.protocol.reference,
        "seed": settings.seed,
        "count": evaluation.made,
        "neurogen": version("neurogen"),
    }
    return heading | ({} if source.model is None else {"model_sha256": source.model.stored.sha256})
