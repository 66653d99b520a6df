"""The demo's report: one HTML file that loads nothing, with real and generated recordings that play side by side."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_tools import Events
from event_tools.atomic import replacing
from event_tools.realism import Row
from event_tools.viewer import player_html
from neurogen.codebook import Codebook, CodeForm, TableCodebook
from neurogen.codebook.usage import bit_usage, usage
from neurogen.model import Model
from neurogen.plots import bits_figure, codebook_figure, dark, loss_figure, rates_figure

ROW_NAMES = {
    "count_w1": "events per recording",
    "on_share_w1": "share of ON events",
    "log_isi_w1": "log10 of the interval between events of a pixel",
    "rate_tv": "event rate over time, 1 ms bins",
    "spatial_js": "where events lie",
    "pixel_tv": "events per pixel",
    "alternation": "how often a pixel changes polarity",
    "support": "events that follow another within 3x3 pixels and 5 ms",
    "ties": "events in the same microsecond as the one before",
}
FACT_NAMES = {
    "recognised": "generated recordings show the asked label, says a classifier trained on the training recordings",
    "classifier_on_test": "of real test recordings are given their label by that classifier",
    "events_per_recording": "events in a generated recording, on average",
    "differ_on_the_chip": "of the decoder's neuron steps differ on a neuromorphic chip from the trained floats",
}
CELL = "a bright cell is a channel that is driven at that step, blue up, pink down."
MEANING = {
    "temporal": f"A row is a trajectory of T vectors, a sequence of time cells: {CELL}",
    "repeated": f"A row is a vector that stands for all steps: {CELL}",
    "per_step": f"A row is a vector that stands for one step: {CELL}",
    "spike": "A code is the pattern of spikes that a site's neurons leave, one bit each at every step.",
}
PAGE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class ReportInput:
    """What the report shows.

    figures: plain values by name; generated, real: (class, recording); generated_codes, real_codes: codes, of the
    model's form; realism: rows with their floor; rates: firing rate by layer; runs: run folders by name.
    """

    title: str
    model: Model
    figures: dict[str, Any]
    generated: list[tuple[str, Events]]
    real: list[tuple[str, Events]]
    generated_codes: NDArray[np.int64]
    real_codes: NDArray[np.int64]
    realism: Sequence[Row]
    rates: dict[str, float]
    runs: dict[str, Path]


def write_report(path: Path, report: ReportInput) -> Path:
    """Write the page; beside, then renamed."""
    stored, config = report.model.stored, report.model.config
    codebook, form = stored.network.codebook, report.model.code_form
    real, generated = (
        form.items_first(torch.from_numpy(np.asarray(codes))) for codes in (report.real_codes, report.generated_codes)
    )
    parts = (stored.network, *([stored.prior] if stored.prior is not None else []))
    parameters = " and ".join(f"{sum(p.numel() for p in part.parameters()):,}" for part in parts)
    text = Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=html.escape(report.title),
        lead=html.escape(
            f"A {config.model.kind} {config.codebook.kind.replace('_', '-')}-codebook VQ-VAE over "
            f"{config.model.steps} time steps and a spiking transformer prior over its {_codes(form)} "
            f"({parameters} parameters), "
            f"trained on {sum(stored.data_info.label_counts):,} recordings."
        ),
        facts="".join(_fact(key, value) for key, value in report.figures.items()),
        player=player_html(side_by_side(report.real, report.generated), "real and generated recordings"),
        realism=_table(report.realism),
        training="".join(
            f"<h3>{html.escape(name)}</h3>{_picture(f'{name} losses', loss_figure, run)}"
            for name, run in report.runs.items()
        ),
        meaning=MEANING[config.codebook.kind],
        use=f"{_use('real', real, form)} {_use('generated', generated, form)}",
        codebook=_picture("codebook use", _codebook_figure, codebook, real.numpy(), generated.numpy()),
        rates=_picture("firing rates", rates_figure, report.rates),
    )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def side_by_side(
    real: Sequence[tuple[str, Events]], generated: Sequence[tuple[str, Events]]
) -> list[tuple[str, Events]]:
    """Both by class, in the order in which classes appear, real ones first: titles "3 real", "3 generated"."""
    classes = dict.fromkeys(name for name, _ in (*real, *generated))
    kinds = {"real": real, "generated": generated}
    return [
        (f"{name} {kind}", events)
        for name in classes
        for kind, recordings in kinds.items()
        for title, events in recordings
        if title == name
    ]


def _fact(key: str, value: Any) -> str:
    if not isinstance(value, float):
        shown = str(value)
    elif value <= 1:
        shown = f"{100 * value:.1f} %"
    else:
        shown = f"{value:,.0f}"
    name = FACT_NAMES.get(key, key.replace("_", " "))
    return f'<div class="fact"><b>{html.escape(shown)}</b><span>{html.escape(name)}</span></div>'


def _table(rows: Sequence[Row]) -> str:
    """A row per figure; the bar grows with the distance over its floor, alike with each doubling."""
    body = "".join(
        f'<tr><td>{html.escape(ROW_NAMES.get(row.name, row.name))}</td><td class="n">{_number(row.value)}</td>'
        f'<td class="n">{_number(row.floor)}</td><td class="unit">{html.escape(row.unit)}</td>'
        f"<td>{_ratio(row)}</td></tr>"
        for row in rows
    )
    head = (
        '<tr><th>distance in</th><th class="n">generated</th><th class="n">floor</th><th>unit</th><th>× floor</th></tr>'
    )
    return f"<table>{head}{body}</table>"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.{5 if value < 1e-3 else 4}f}"


def _ratio(row: Row) -> str:
    if not row.floor > 0 or math.isnan(row.value):
        return "–"
    ratio = row.value / row.floor
    length = round(min(max(math.log2(max(ratio, 1e-9)) + 2, 0.1), 8) * 14)  # a quarter of the floor is nothing
    kind = "ratio over" if ratio > 2 else "ratio"
    return f'<span class="{kind}" style="width: {length}px"></span>{ratio:.1f}'


def _codes(form: CodeForm) -> str:
    return f"{form.bits} bits a site and step" if form.bits else f"{form.size} codes"


def _use(kind: str, items: Tensor, form: CodeForm) -> str:
    if form.bits:
        bits = bit_usage(items)
        told = f"a bit is 1 in {bits.rate:.0%} of places and has an entropy of {bits.entropy:.2f}, {bits.dead} are dead"
        return f"In {len(items)} {kind} recordings {told}."
    rows = usage(items, form.size)
    return f"In {len(items)} {kind} recordings {rows.used} of {form.size} rows fire, perplexity {rows.perplexity:.0f}."


def _codebook_figure(codebook: Codebook, real: NDArray[np.integer], generated: NDArray[np.integer]) -> Any:
    if not isinstance(codebook, TableCodebook):
        return bits_figure(real, generated)
    table = codebook.table.detach().cpu().numpy()
    return codebook_figure(real, generated, table, table.shape[1] // codebook.config.width)


def _picture(alt: str, draw: Callable[..., Any], *arguments: Any) -> str:
    """The figure that draw(*arguments) makes, on a dark ground, inside the page."""
    buffer = io.BytesIO()
    with dark():
        figure = draw(*arguments)
        figure.savefig(buffer, format="png", dpi=120, bbox_inches="tight")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
