"""Figures of a run: its losses, and how often its neurons fired while it learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurogen.plots.style import OFF, ON, figure, layer_name, shade, write_figures
from neurogen.training.errors import TrainingError
from neurogen.training.log import read_metrics

PANELS = (  # whatever else is logged has a panel of its own
    ("total", ("total",)),
    ("reconstruction", ("reconstruction",)),
    ("distance of posterior and prior", ("distance",)),
    ("nll", ("nll",)),
    ("quantiser", ("quant",)),
    ("generator", ("gen", "generator")),
    ("discriminator", ("disc", "discriminator")),
    ("slope at real items, R1", ("r1",)),
    ("discriminator weight", ("disc_weight",)),
    ("logits", ("logits_real", "logits_fake")),
    ("codebook use", ("perplexity", "used_codes")),
    ("codebook use", ("bit_entropy", "bit_rate")),
    ("variety of samples", ("pairwise", "class_entropy")),
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
    "pairwise": "distance between samples over real",
    "class_entropy": "entropy of classes over largest",
}
LATER = ("latent", "decoder", "output", "discriminator")  # parts of a model after the first, in order


def plot_run(run: Path, folder: Path | None = None) -> list[Path]:
    """Write losses.png, and rate_curves.png of logged rates, into RUN/pictures or `folder`; returns their paths.

    Raises TrainingError for an empty run.
    """
    figures = {"losses": loss_figure(run), "rate_curves": rate_curves_figure(run)}
    return write_figures(figures, folder or run / "pictures")


def loss_figure(run: Path) -> Any:
    """A panel for each loss that the run has logged, and for codebook use and held-out figures."""
    rows = _rows(run)
    logged = [name for name in dict.fromkeys(name for row in rows for name in row) if _is_loss(name)]
    panels = [(title, found) for title, names in PANELS if (found := [name for name in names if name in logged])]
    panels += [(name, [name]) for name in logged if not any(name in names for _, names in PANELS)]
    lines = -(-len(panels) // 4)
    made, axes = figure(-(-len(panels) // lines), lines)
    for axis, (title, names) in zip(axes, panels, strict=False):
        for name, colour in zip(names, (ON, OFF), strict=False):
            _curve(axis, rows, name, NAMES.get(name, name), colour)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step", fontsize=8)
        if len(names) > 1:
            axis.legend(fontsize=8, frameon=False)
    for axis in axes[len(panels) :]:
        axis.remove()
    return made


def rate_curves_figure(run: Path) -> Any:
    """Firing rate of each spiking layer over the run; None where none was logged."""
    rows = _rows(run)
    names = sorted({name for row in rows for name in row if name.startswith("rate/")}, key=_by_depth)
    if not names:
        return None
    made, (axis,) = figure(1, 1, width=8.0, height=4.0)
    for i, name in enumerate(names):
        _curve(axis, rows, name, layer_name(name.removeprefix("rate/")), shade(i / max(len(names) - 1, 1)))
    axis.set(xlabel="step", ylabel="spikes per neuron and time step")
    axis.set_ylim(bottom=0)
    columns = -(-len(names) // 24)
    axis.legend(fontsize=7, frameon=False, bbox_to_anchor=(1, 1), loc="upper left", ncols=columns)
    return made


def _is_loss(name: str) -> bool:
    return name not in ("step", "collapsed") and not name.startswith("rate/")


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


def _by_depth(name: str) -> tuple[Any, ...]:
    """Encoder before latent, decoder and discriminator, layer 2 before layer 10."""
    parts = name.split(".")
    place = max((k for k, part in enumerate(LATER, 1) if part in parts[0]), default=0)
    return (place, *((0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts))
