"""The demo's report: one HTML file that loads nothing, with real and generated recordings that play."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools import Events
from event_tools.atomic import replacing
from event_tools.viewer import player_html
from neurogen.model import Model
from neurogen.plots import codebook_figure, loss_figure, rates_figure

ROW_NAMES = {
    "count_w1": "events per recording",
    "on_share_w1": "share of ON events",
    "log_isi_w1": "log10 of intervals within a pixel",
    "rate_tv": "rate curve, 1 ms",
    "spatial_js": "where events lie",
    "pixel_tv": "events per pixel",
    "alternation": "polarity flips within a pixel",
    "support": "events with company within 3x3 and 5 ms",
    "ties": "neighbours in time that tie",
}
PAGE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class ReportInput:
    """What the report shows: titled recordings, codes (N, h, w) of both kinds, realism rows, firing rates by layer, and the runs by name."""

    title: str
    model: Model
    figures: dict[str, Any]
    generated: list[tuple[str, Events]]
    real: list[tuple[str, Events]]
    generated_codes: NDArray[np.int64]
    real_codes: NDArray[np.int64]
    realism: Sequence[Any]
    rates: dict[str, float]
    runs: dict[str, Path]


def write_report(path: Path, report: ReportInput) -> Path:
    """Write the page; beside, then renamed."""
    config = report.model.config
    book = report.model.stored.first_stage.codebook.table.detach().cpu().numpy()
    text = Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=html.escape(report.title),
        lead=(
            f"A {config.model.kind} temporal-codebook VQ-VAE over {config.model.steps} time steps and a spiking transformer "
            f"prior over its {config.codebook.size} codes, trained on this machine's CPU or GPU in minutes."
        ),
        facts="".join(_fact(key, value) for key, value in report.figures.items()),
        generated=player_html(report.generated, "generated"),
        real=player_html(report.real, "real"),
        realism=_table(report.realism),
        training="".join(
            f'<img alt="{name} losses" src="{_png(loss_figure(run))}">' for name, run in report.runs.items()
        ),
        codebook=_png(codebook_figure(report.real_codes, report.generated_codes, book, config.model.steps)),
        rates=_png(rates_figure(report.rates)),
    )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _fact(key: str, value: Any) -> str:
    shown = (
        f"{value:,.3g}"
        if isinstance(value, float) and value < 100
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )
    return f'<div class="fact"><b>{html.escape(shown)}</b><span>{html.escape(key.replace("_", " "))}</span></div>'


def _table(rows: Sequence[Any]) -> str:
    body = "".join(
        f'<tr><td>{html.escape(ROW_NAMES.get(row.name, row.name))}</td><td class="n">{row.value:.4g}</td><td class="n">{row.floor:.4g}</td>'
        f"<td>{html.escape(row.unit)}</td></tr>"
        for row in rows
    )
    return f'<table><tr><th>figure</th><th class="n">generated</th><th class="n">floor</th><th>unit</th></tr>{body}</table>'


def _png(figure: Any) -> str:
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
