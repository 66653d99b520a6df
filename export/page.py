"""A report as one HTML file that loads nothing: facts, pictures of each way, and a row per layer."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

from export.reporting import LayerReport, Report

TEMPLATE = Path(__file__).with_name("page.html")
BAR = 120  # pixels of a rate of 1


def page(report: Report, title: str, pictures: Mapping[str, bytes] | None = None, note: str = "") -> str:
    """The page's text. pictures: PNG by caption, the same samples each; note: one sentence on them."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        lead=html.escape(_lead(report)),
        facts="".join(_fact(value, text) for value, text in _facts(report)),
        warnings=_list("h2", "Warnings", report.warnings, "warnings"),
        pictures=_pictures(pictures or {}, note),
        steps=report.steps,
        agreement=_agreement(report),
        size=_size(report),
        ranges=_table(_RANGES, (_range_row(layer) for layer in report.layers)),
        activity=_activity(report),
        energy=_energy(report),
        left_out=html.escape(_joined(report.left_out)),
        running="".join(f"<li>{html.escape(line)}</li>" for line in _running(report)),
    )


def _lead(report: Report) -> str:
    kept = f"{len(report.layers)} layers with {report.totals.neurons:,} neurons run on the chip"
    ways = "the network as trained, its weights in the chip's integers, and the chip's own arithmetic"
    if "float" not in report.outputs:
        ways = "its integers in exact arithmetic, and the chip's own arithmetic"
    return f"{kept}. Compared on {report.samples} samples of {report.steps} steps: {ways}."


def _facts(report: Report) -> list[tuple[str, str]]:
    found, totals = report.agreement, report.totals
    facts = []
    if found.float_simulated is not None:
        facts.append((_percent(found.float_simulated, found.entries), "of neuron steps differ between floats and chip"))
    facts.append((f"{found.quantised_simulated:,}", f"of {found.entries:,} differ through the chip's arithmetic alone"))
    if report.readout is not None and report.readout.float_simulated is not None and report.readout.rms:
        share = report.readout.float_simulated / report.readout.rms
        facts.append((f"{100 * share:.2g} %", "of the read-out's size is its error"))
    facts += [
        (_bounds(totals.cores.at_least, totals.cores.at_most), f"cores of {report.chip.name}, by two bounds"),
        (f"{report.latency} steps", "before the first step's output leaves the chip"),
        (f"{totals.accumulates:,.0f}", f"accumulates of a sample, of {totals.dense_operations:,} if all were dense"),
    ]
    return facts


def _fact(value: str, text: str) -> str:
    return f'<div class="fact"><b>{html.escape(value)}</b><span>{html.escape(text)}</span></div>'


def _pictures(pictures: Mapping[str, bytes], note: str) -> str:
    if not pictures:
        return ""
    figures = "".join(
        f'<figure><figcaption>{html.escape(name)}</figcaption><img alt="{html.escape(name)}" '
        f'src="data:image/png;base64,{base64.b64encode(content).decode()}"></figure>'
        for name, content in pictures.items()
    )
    return f"<h2>The same samples</h2><p>{html.escape(note)}</p>{figures}"


def _agreement(report: Report) -> str:
    head = (
        "layer",
        "#neuron steps",
        "#spikes",
        "#float / quantised",
        "#quantised / simulated",
        "#float / simulated",
        "#for 100 spikes",
    )

    def row(name: str, found: object) -> tuple[str, ...]:
        numbers = (getattr(found, key) for key in ("float_quantised", "quantised_simulated", "float_simulated"))
        entries, spikes = (getattr(found, key) for key in ("entries", "spikes"))
        *_, both = numbers = list(numbers)
        relative = "–" if both is None else f"{100 * both / max(spikes, 1):.2g}"
        return (name, f"{entries:,}", _number(spikes), *(_share(number, entries) for number in numbers), relative)

    rows = [row(layer.name, layer.agreement) for layer in report.layers if layer.agreement is not None]
    return _table(head, rows, row("all", report.agreement)) + _readout(report)


def _readout(report: Report) -> str:
    if report.readout is None:
        return ""
    found = report.readout
    parts = [("float and quantised", found.float_quantised), ("quantised and simulated", found.quantised_simulated)]
    parts.append(("float and simulated", found.float_simulated))
    known = "; ".join(f"{name} {value:.3g}" for name, value in parts if value is not None)
    return f"<p>The read-out is real-valued, root mean square {found.rms:.3g}. It differs by: {known}.</p>"


def _size(report: Report) -> str:
    head = (
        *("layer", "kind", "shape on the chip", "#neurons", "#relays", "#own weights", "#weights", "#synapses"),
        *("#fan-in", "#cores"),
    )
    rows = (
        (
            layer.name,
            layer.kind if layer.output == "spikes" else f"{layer.kind}, {layer.output}",
            " × ".join(map(str, layer.shape)),
            f"{layer.neurons:,}",
            f"{layer.relays:,}",
            _number(layer.own_weights),
            f"{layer.weights:,}",
            f"{layer.synapses:,}",
            f"{layer.fan_in:,}",
            _bounds(layer.cores.at_least, layer.cores.at_most),
        )
        for layer in report.layers
    )
    total, relays = report.totals, sum(layer.relays for layer in report.layers)
    own = [layer.own_weights for layer in report.layers]
    all_own = None if None in own else sum(own)
    counts = (_number(n) for n in (total.neurons, relays, all_own, total.weights, total.synapses))
    return _table(head, rows, ("all", "", "", *counts, "", _bounds(total.cores.at_least, total.cores.at_most)))


_RANGES = ("layer", "weights", "biases", "thresholds", "leak / 4096", "chip units in 1.0", "#u, bits", "#v, bits")


def _range_row(layer: LayerReport) -> tuple[str, ...]:
    ranges = (layer.weight_range, layer.bias_range, layer.threshold_range, layer.decay_range)
    scale = _bounds(*(f"{value:.5g}" for value in layer.scale))
    free = (layer.reach.u_headroom_bits, layer.reach.v_headroom_bits)
    return (layer.name, *(_bounds(*map(_number, pair)) for pair in ranges), scale, *(f"{bits:.1f}" for bits in free))


def _activity(report: Report) -> str:
    head = ("layer", "rate", "#spikes", "#accumulates", "#neuron updates")
    rows = (
        (layer.name, _rate(layer.rate), f"{layer.spikes:,.0f}", f"{layer.accumulates:,.0f}", f"{layer.updates:,}")
        for layer in report.layers
    )
    total = report.totals
    numbers = (f"{total.spikes:,.0f}", f"{total.accumulates:,.0f}", f"{total.updates:,}")
    return _table(head, rows, ("all", "", *numbers))


def _energy(report: Report) -> str:
    head = ("constants", "#µJ", "#accumulate", "#silent update", "#update that fires", "#spike", "source")
    rows = [
        (
            one.constants.name,
            f"{one.microjoules:.3g}",
            *(
                f"{value:g} pJ" if value else "–"
                for value in (
                    one.constants.synapse_pj,
                    one.constants.idle_pj,
                    one.constants.active_pj,
                    one.constants.spike_pj,
                )
            ),
            one.constants.source,
        )
        for one in report.energy
    ]
    dense = "the same connections, each multiplied once in 4.6 pJ floats (Horowitz, ISSCC 2014)"
    return _table(head, [*rows, ("dense, not spiking", f"{report.dense_microjoules:.3g}", *["–"] * 4, dense)])


def _running(report: Report) -> Iterable[str]:
    yield (
        f"reset_interval={report.reset_interval}, reset_offset={report.reset_offset}: each sample begins at rest; "
        f"its first output comes {report.latency} steps after its first input"
    )
    bits = report.message_bits
    yield "the input is spikes" if not bits else f"the input is integers of {bits} bits: input_message_bits={bits}"
    if report.loader == "extended":
        yield "it holds transposed convolutions, for which lava-dl needs the extended loader"
    for line in report.host:
        yield f"on the host: {line}"


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]], total: tuple[str, ...] | None = None) -> str:
    """Columns whose head begins with # hold numbers; cells are text, but for what `_rate` makes."""
    names = list(head)
    classes = [' class="n"' if n.startswith("#") else ' class="text"' if n == "source" else "" for n in names]
    heads = "".join(f"<th{c}>{html.escape(n.lstrip('#'))}</th>" for n, c in zip(names, classes, strict=True))
    lines = [(row, "") for row in rows] + ([(total, ' class="sum"')] if total is not None else [])
    body = "".join(
        f"<tr{kind}>{''.join(f'<td{c}>{_cell(v)}</td>' for v, c in zip(row, classes, strict=True))}</tr>"
        for row, kind in lines
    )
    return f"<table><tr>{heads}</tr>{body}</table>"


class _Markup(str):
    """A cell that is HTML already."""


def _cell(value: str) -> str:
    return value if isinstance(value, _Markup) else html.escape(value)


def _rate(rate: float | None) -> str:
    if rate is None:
        return "–"
    return _Markup(f'<span class="bar" style="width: {round(BAR * rate) or 1}px"></span>{rate:.3f}')


def _list(tag: str, title: str, lines: Iterable[str], kind: str) -> str:
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f'<{tag}>{title}</{tag}><ul class="{kind}">{items}</ul>' if items else ""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,}"


def _share(number: int | None, whole: int) -> str:
    return "–" if number is None else f"{number:,} ({_percent(number, whole)})"


def _percent(number: float, whole: float) -> str:
    share = 100 * number / max(whole, 1)
    return "0 %" if not share else f"{share:.2g} %" if share >= 0.001 else "< 0.001 %"


def _bounds(least: object, most: object) -> str:
    if least == most:
        return f"{least}"
    return f"{least} to {most}"


def _joined(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)}, and {last}" if first else last
