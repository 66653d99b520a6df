"""Figures of a run: its losses, how its codebook is used, how often its neurons fire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.viewer.colours import colours
from neurogen.training.errors import TrainingError
from neurogen.training.log import read_metrics

PANELS = (
    ("total", ("total",)),
    ("nll", ("nll",)),
    ("quantiser", ("quant",)),
    ("generator", ("gen",)),
    ("discriminator", ("disc",)),
    ("discriminator weight", ("disc_weight",)),
    ("logits", ("logits_real", "logits_fake")),
    ("codebook use", ("perplexity", "used_codes")),
    ("codebook use", ("bit_entropy", "bit_rate")),
    ("held-out mse", ("val_mse",)),
    ("held-out bits per code", ("val_bits_per_code",)),
)
NAMES = {
    "logits_real": "real",
    "logits_fake": "generated",
    "perplexity": "perplexity",
    "used_codes": "rows used since the last point",
    "bit_entropy": "entropy of a bit",
    "bit_rate": "share of ones",
}
ROWS_SHOWN = 48
LOOK = colours()  # the player's
ON, OFF, GROUND, INK = LOOK.on, LOOK.off, LOOK.page, LOOK.text
DARK = {
    "figure.facecolor": GROUND,
    "savefig.facecolor": GROUND,
    "axes.facecolor": GROUND,
    "axes.edgecolor": LOOK.pale,
    "axes.labelcolor": LOOK.pale,
    "text.color": INK,
    "xtick.color": LOOK.pale,
    "ytick.color": LOOK.pale,
}


def plot_run(run: Path) -> list[Path]:
    """Write RUN/pictures/losses.png, and rates.png where rates were logged; returns their paths.

    Raises TrainingError for an empty run.
    """
    figures = {"losses": loss_figure(run), "rates": rate_curves_figure(run)}
    folder = run / "pictures"
    folder.mkdir(exist_ok=True)
    paths = []
    for name, figure in figures.items():
        if figure is not None:
            path = folder / f"{name}.png"
            figure.savefig(path, dpi=120, bbox_inches="tight")
            paths.append(path)
    return paths


@contextmanager
def dark() -> Iterator[None]:
    """Figures made and saved inside have the report's dark ground."""
    import matplotlib

    with matplotlib.rc_context(DARK):
        yield


def loss_figure(run: Path) -> Any:
    """A panel for each loss that the run has logged, and for codebook use and held-out figures."""
    rows = _rows(run)
    panels = [(title, names) for title, names in PANELS if any(name in row for row in rows for name in names)]
    lines = -(-len(panels) // 4)
    figure, axes = _figure(-(-len(panels) // lines), lines)
    for axis, (title, names) in zip(axes, panels, strict=False):
        for name, colour in zip(names, (ON, OFF), strict=False):
            _curve(axis, rows, name, NAMES.get(name, name), colour)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step", fontsize=8)
        if len(names) > 1:
            axis.legend(fontsize=8, frameon=False)
    for axis in axes[len(panels) :]:
        axis.remove()
    return figure


def rate_curves_figure(run: Path) -> Any:
    """Firing rate of each spiking layer over the run; None where none was logged."""
    rows = _rows(run)
    names = sorted({name for row in rows for name in row if name.startswith("rate/")}, key=_by_depth)
    if not names:
        return None
    figure, (axis,) = _figure(1, 1, width=8.0, height=4.0)
    for i, name in enumerate(names):
        _curve(axis, rows, name, _layer(name.removeprefix("rate/")), _shade(i / max(len(names) - 1, 1)))
    axis.set(xlabel="step", ylabel="spikes per neuron and time step")
    axis.set_ylim(bottom=0)
    columns = -(-len(names) // 24)
    axis.legend(fontsize=7, frameon=False, bbox_to_anchor=(1, 1), loc="upper left", ncols=columns)
    return figure


def bits_figure(real: NDArray[np.integer], generated: NDArray[np.integer]) -> Any:
    """How often each bit is 1 at each step in real and in generated codes, bits (N, T, m, h, w)."""
    figure, (axis,) = _figure(1, 1, width=8.0, height=2.7)
    rates = [bits.mean((0, 3, 4)).ravel() for bits in (real, generated)]  # step by step
    steps, bits = real.shape[1:3]
    places = np.arange(steps * bits)
    for rate, colour, shift, name in zip(rates, (ON, OFF), (-0.2, 0.2), ("real", "generated"), strict=True):
        axis.bar(places + shift, 100 * rate, width=0.4, color=colour, label=name)
    for t in range(1, steps):
        axis.axvline(t * bits - 0.5, color=INK, linewidth=0.8)
    axis.set(ylabel="% of sites", xticks=[(t + 0.5) * bits - 0.5 for t in range(steps)])
    axis.set_xticklabels([f"step {t + 1}" for t in range(steps)], fontsize=8)
    axis.set_title(f"how often each of {bits} bits is 1", fontsize=10)
    axis.legend(fontsize=8, frameon=False)
    return figure


def codebook_figure(real: NDArray[np.int64], generated: NDArray[np.int64], table: NDArray[Any], steps: int) -> Any:
    """Which rows real and generated codes choose, and the most used rows as (row, T x D) time cells.

    real, generated: codes of any shape; table: (K, T * D), time major; T is 1 where a row is of one step.
    """
    size = len(table)
    shares = [np.bincount(codes.ravel(), minlength=size) / codes.size for codes in (real, generated)]
    order = np.argsort(-shares[0], kind="stable")
    figure, axes = _figure(2, 1, width=6.5, height=3.8)
    axes[0].fill_between(
        range(size), 100 * shares[0][order], step="mid", color=ON, alpha=0.35, linewidth=0, label="real"
    )
    axes[0].step(range(size), 100 * shares[1][order], where="mid", color=OFF, linewidth=0.9, label="generated")
    axes[0].set(xlabel="row, by use in real recordings", ylabel="% of sites", xlim=(-0.5, size - 0.5))
    axes[0].set_ylim(bottom=0)
    axes[0].set_title("which rows fire", fontsize=10)
    axes[0].legend(fontsize=8, frameon=False)
    rows = table[order[: min(ROWS_SHOWN, size)]]
    limit = float(np.quantile(np.abs(rows), 0.99)) or 1.0
    picture = axes[1].imshow(rows, aspect="auto", cmap=_diverging(), vmin=-limit, vmax=limit, interpolation="nearest")
    figure.colorbar(picture, ax=axes[1], pad=0.01, aspect=40).ax.tick_params(labelsize=7)
    width = table.shape[1] // steps
    for t in range(1, steps):
        axes[1].axvline(t * width - 0.5, color=INK, linewidth=0.8)
    axes[1].set(ylabel="row, by use", xticks=[(t + 0.5) * width - 0.5 for t in range(steps)])
    axes[1].set_xticklabels([f"step {t + 1}" for t in range(steps)], fontsize=8)
    axes[1].set_title(f"the {len(rows)} most used rows as time cells", fontsize=10)
    return figure


def rates_figure(rates: Mapping[str, float]) -> Any:
    """One bar per spiking layer."""
    figure, (axis,) = _figure(1, 1, width=8.0, height=0.26 * len(rates) + 0.8)
    bars = axis.barh(range(len(rates)), list(rates.values()), color=ON, height=0.7)
    axis.bar_label(bars, fmt="%.3f", fontsize=8, padding=3)
    axis.set_yticks(range(len(rates)), [_layer(name) for name in rates], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("spikes per neuron and time step", fontsize=8)
    return figure


def _curve(axis: Any, rows: list[dict[str, float]], name: str, label: str, colour: Any) -> None:
    points = [(row["step"], row[name]) for row in rows if name in row]
    if points:
        marker = "." if len(points) < 4 else ""
        axis.plot(*zip(*points, strict=True), label=label, color=colour, linewidth=1.2, marker=marker)


def _rows(run: Path) -> list[dict[str, float]]:
    rows = read_metrics(run / "metrics.csv")
    if not rows:
        raise TrainingError(f"expected figures in {run / 'metrics.csv'}, found none; train the run first")
    return rows


def _layer(name: str) -> str:
    return name.removesuffix(".neuron")


def _by_depth(name: str) -> tuple[Any, ...]:
    """Encoder before decoder, layer 2 before layer 10."""
    parts = name.split(".")
    return ("decoder" in parts[0], *((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts))


def _figure(columns: int, lines: int, width: float = 3.6, height: float = 2.7) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure  # without pyplot, which keeps figures and picks a window system

    figure = Figure(figsize=(width * columns, height * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, list(axes.flat)


def _diverging() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("events", [OFF, GROUND, ON])


def _shade(place: float) -> Any:
    import matplotlib

    return matplotlib.colormaps["viridis"](0.9 * place)
