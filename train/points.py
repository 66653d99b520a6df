"""Runs of one configuration at several settings, trained where they are not yet and measured alike.

A point is a combination of settings with a run of its own in OUT/NAME. A run that was stopped goes on, a finished one
is taken as it is, and what was measured of it is kept beside its weights' checksum in OUT/NAME/point.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from event_tools.atomic import replacing
from neurogen.config import Config, ConfigError, load_config
from neurogen.metrics.errors import MetricError
from neurogen.metrics.evaluation import Settings
from neurogen.metrics.extractor import DATASETS
from neurogen.metrics.protocols import PAPER_COUNT
from neurogen.metrics.sections import evaluate
from neurogen.metrics.sources import Source, open_source
from neurogen.training import train_run
from train import find_config

BETWEEN = re.compile(r",(?![^\[]*\])")  # commas that are not in a list
COLUMNS = {  # of a table: section and figure of `neurogen evaluate`
    "mse": ("reconstruction", "mse"),
    "fad": ("fad", "generated"),
    "fad_reconstructed": ("fad", "reconstructed_test"),
    "fad_paper": ("fad-paper", "generated"),
    "fad_paper_reconstructed": ("fad-paper", "reconstructed_test"),
    "fid": ("fid", "fid"),
    "rate": ("codes", "rate"),
    "rate_gap": ("codes", "rate_gap"),
}

Figures = dict[str, float]


@dataclass(frozen=True)
class Point:
    """settings: values as they were typed, by key; name: of its run."""

    settings: Mapping[str, str]
    config: Config

    @property
    def name(self) -> str:
        said = "-".join(f"{key.split('.')[-1]}-{value}" for key, value in self.settings.items())
        return re.sub(r"[^\w.-]+", "_", said)


@dataclass(frozen=True)
class Measures:
    """count: samples that distances are of; extractor, inception: weights, as `neurogen evaluate` takes them."""

    count: int = PAPER_COUNT
    extractor: Path | None = None
    inception: Path | None = None


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """What both commands take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="a name that `neurogen configs` lists, or a YAML file")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="settings of all runs")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs, the table and the picture")
    parser.add_argument("--count", type=int, default=PAPER_COUNT, help="samples that distances are of")
    parser.add_argument("--extractor", type=Path, help="weights of the autoencoder distance; else the shipped ones")
    parser.add_argument("--inception", type=Path, help="Inception weights; with them FID is measured too")
    return parser


def points_of(config: str, overrides: Sequence[str], over: Sequence[str]) -> list[Point]:
    """Every combination of the values in `over`, each "section.key=value,value"; raises ConfigError or ValueError."""
    axes: dict[str, list[str]] = {}
    for one in over:
        key, _, values = one.partition("=")
        axes[key] = [value.strip() for value in BETWEEN.split(values)]
        if not all(axes[key]) or len(set(axes[key])) != len(axes[key]):
            raise ConfigError(f"expected --over section.key=value,value of different values, got {one}; name each once")
    path = find_config(config)
    combinations = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    return [
        Point(settings, load_config(path, [*overrides, *(f"{key}={value}" for key, value in settings.items())]))
        for settings in combinations
    ]


def table_of(points: Sequence[Point], out: Path, measures: Measures, table: str) -> list[dict[str, Any]]:
    """Train and measure every point; rows of OUT/TABLE.csv, which grows row by row."""
    rows: list[dict[str, Any]] = []
    for point in points:
        run = train_run(point.config, out / point.name, resume=True)
        rows.append({**point.settings, **measured(run, measures), "run": point.name})
        write_csv(out / f"{table}.csv", rows)
    return rows


def measured(run: Path, measures: Measures) -> Figures:
    """Figures of a finished run by the names in COLUMNS; those that do not fit its system or data are left out."""
    source = open_source(str(run), None, None)
    assert source.model is not None
    asked = {"sha256": source.model.stored.sha256, "count": measures.count}
    asked |= {name: str(path) for name in ("extractor", "inception") if (path := getattr(measures, name))}
    kept = run / "point.json"
    if kept.is_file() and (found := json.loads(kept.read_text(encoding="utf-8")))["asked"] == asked:
        return found["figures"]
    settings = Settings(count=measures.count, extractor=measures.extractor, inception=measures.inception)
    sections = evaluate(source, sections_of(source, measures), settings)
    figures = {
        name: float(sections[section][figure])
        for name, (section, figure) in COLUMNS.items()
        if figure in sections.get(section, {})
    }
    with replacing(kept) as temporary:
        temporary.write_text(json.dumps({"asked": asked, "figures": figures}, indent=1), encoding="utf-8")
    return figures


def sections_of(source: Source, measures: Measures) -> list[str]:
    """What can be measured of a model; raises MetricError where that is nothing."""
    model, images = source.model, not source.reference.makes_recordings
    assert model is not None
    chosen = ["reconstruction", "codes"] if model.encodes else []
    if images and (measures.extractor or source.reference.name in DATASETS):
        chosen += ["fad", "fad-paper"] if measures.count >= PAPER_COUNT else ["fad"]
    if images and measures.inception:
        chosen.append("fid")
    if not chosen:
        raise MetricError(
            f"expected an extractor or Inception weights to measure {model.config.system} on {source.reference.name}, "
            "got none; give --extractor or --inception"
        )
    return chosen


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of all columns of the rows, in their order, the run last."""
    return [*dict.fromkeys(name for row in rows for name in row if name != "run"), "run"]


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows as a file with a heading."""
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns_of(rows), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def fails_in_a_sentence(parser: argparse.ArgumentParser, error: Exception) -> None:
    """End by exit status 2 with what a person can mend."""
    parser.exit(2, f"{Path(sys.argv[0]).stem}: {error}\n")
