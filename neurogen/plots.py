"""Figures of a run: its losses, how its codebook is used, how often its neurons fire."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    ("codebook", ("perplexity", "used_codes")),
    ("held-out mse", ("val_mse",)),
    ("held-out bits per code", ("val_bits_per_code",)),
)
ROWS_SHOWN = 48


def plot_run(run: Path) -> list[Path]:
    """Write RUN/pictures/losses.png and rates.png; returns their paths. Raises TrainingError for an empty run."""
    figures = {"losses": loss_figure(run), "rates": rate_curves_figure(run)}
    folder = run / "pictures"
    folder.mkdir(exist_ok=True)
    paths = []
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=120, bbox_inches="tight")
        paths.append(path)
    return paths


def loss_figure(run: Path) -> Any:
    """A panel for each loss that the run has logged."""
    rows = _rows(run)
    panels = [(title, names) for title, names in PANELS if any(name in row for row in rows for name in names)]
    columns = min(4, len(panels))
    lines = -(-len(panels) // columns)
    figure, axes = _figure(columns, lines)
    for axis, (title, names) in zip(axes, panels, strict=False):
        for name in names:
            points = [(row["step"], row[name]) for row in rows if name in row]
            if points:
                axis.plot(*zip(*points, strict=True), label=name, linewidth=1.2, marker="." if len(points) < 4 else "")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step", fontsize=8)
        if len(names) > 1:
            axis.legend(fontsize=8, frameon=False)
    for axis in axes[len(panels) :]:
        axis.remove()
    return figure


def rate_curves_figure(run: Path) -> Any:
    """Firing rate of each spiking layer over the run."""
    rows = _rows(run)
    names = sorted({name for row in rows for name in row if name.startswith("rate/")})
    figure, (axis,) = _figure(1, 1, width=7.0)
    for i, name in enumerate(names):
        points = [(row["step"], row[name]) for row in rows if name in row]
        axis.plot(
            *zip(*points, strict=True),
            label=name.removeprefix("rate/"),
            color=_shade(i / max(len(names) - 1, 1)),
            linewidth=1,
        )
    axis.set(xlabel="step", ylabel="spikes per neuron and time step")
    if len(names) <= 24:
        axis.legend(fontsize=7, frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    return figure


def codebook_figure(real: NDArray[np.int64], generated: NDArray[np.int64], table: NDArray[Any], steps: int) -> Any:
    """Use of the rows by real and generated codes, and the most used rows as (row, T x D) time cells.

    real, generated: codes of any shape; table: (K, T * D), time major.
    """
    size = len(table)
    shares = [np.bincount(codes.ravel(), minlength=size) / codes.size for codes in (real, generated)]
    order = np.argsort(-shares[0])
    figure, axes = _figure(2, 1, width=6.5, height=3.4)
    axes[0].plot(shares[0][order], label="real", color="#58a6ff", linewidth=1.4)
    axes[0].plot(shares[1][order], label="generated", color="#f72585", linewidth=0.8)
    axes[0].set(xlabel="row, by use", ylabel="share of sites", yscale="log")
    axes[0].legend(fontsize=8, frameon=False)
    rows = table[order[: min(ROWS_SHOWN, size)]]
    limit = float(np.abs(rows).max()) or 1.0
    axes[1].imshow(rows, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    width = table.shape[1] // steps
    for t in range(1, steps):
        axes[1].axvline(t * width - 0.5, color="black", linewidth=0.8)
    axes[1].set(ylabel="row, by use", xticks=[(t + 0.5) * width - 0.5 for t in range(steps)])
    axes[1].set_xticklabels([f"step {t + 1}" for t in range(steps)], fontsize=8)
    return figure


def rates_figure(rates: Mapping[str, float]) -> Any:
    """One bar per spiking layer."""
    figure, (axis,) = _figure(1, 1, width=8.0, height=0.24 * len(rates) + 0.8)
    names = list(rates)
    axis.barh(range(len(names)), [rates[name] for name in names], color="#58a6ff")
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("spikes per neuron and time step")
    return figure


def _rows(run: Path) -> list[dict[str, float]]:
    rows = read_metrics(run / "metrics.csv")
    if not rows:
        raise TrainingError(f"expected figures in {run / 'metrics.csv'}, found none; train the run first")
    return rows


def _figure(columns: int, lines: int, width: float = 3.6, height: float = 2.7) -> tuple[Any, list[Any]]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(lines, columns, figsize=(width * columns, height * lines), squeeze=False)
    figure.set_layout_engine("constrained")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return figure, list(axes.flat)


def _shade(place: float) -> Any:
    import matplotlib

    return matplotlib.colormaps["viridis"](0.9 * place)
