"""The body of `neurogen evaluate`: from what a user typed to what is printed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from event_tools.atomic import filling
from neurogen.metrics.errors import MetricError
from neurogen.metrics.evaluation import Settings
from neurogen.metrics.protocols import PROTOCOLS
from neurogen.metrics.sections import check_name, evaluate
from neurogen.metrics.sources import open_source
from neurogen.sampling import check_free
from neurogen.training.device import choose_device


@dataclass(frozen=True)
class Request:
    """The command's arguments, as `neurogen evaluate --help` explains them."""

    what: str
    metrics: str = ""
    protocol: str = "standard"
    count: int | None = None
    seed: int = 0
    dataset: str | None = None
    data: Path | None = None
    extractor: Path | None = None
    inception: Path | None = None
    out: Path | None = None
    device: str = "auto"


def run_evaluation(request: Request, as_json: bool) -> str:
    """The figures as text or JSON; raises one of the errors that are one sentence."""
    if request.protocol not in PROTOCOLS:
        raise MetricError(f"expected --protocol to be {', '.join(PROTOCOLS)}, got {request.protocol}")
    metrics = [check_name(name.strip()) for name in request.metrics.split(",") if name.strip()]
    if request.out is not None:
        check_free(request.out)
    device = choose_device(request.device)
    source = open_source(request.what, request.dataset, request.data, str(device))

    def measured(out: Path | None) -> dict[str, Any]:
        protocol = PROTOCOLS[request.protocol]
        settings = Settings(
            protocol, request.count, request.seed, request.extractor, request.inception, out, str(device)
        )
        return evaluate(source, metrics, settings)

    if request.out is None:
        figures = measured(None)
    else:
        with filling(request.out) as folder:
            figures = measured(folder)
            text = json.dumps(_plain(figures), indent=1, allow_nan=False)
            (folder / "evaluation.json").write_text(f"{text}\n", encoding="utf-8")
    return json.dumps(_plain(figures), allow_nan=False) if as_json else as_text(figures)


def as_text(figures: dict[str, Any]) -> str:
    """A heading's lines, then each section's below its name."""
    lines = []
    for key, value in figures.items():
        if isinstance(value, dict):
            lines += ["", key.replace("_", " "), *(f"  {name:<32} {_shown(one)}" for name, one in value.items())]
        else:
            lines.append(f"{key:<34} {_shown(value)}")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    """For JSON, which has no infinity (the PSNR of equal images) and no NaN: both become null."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
