"""Train and measure a configuration over one or two settings, and draw what comes of it.

    python train/sweep.py fsvae/fashion-small --over model.steps=2,4,8 --over model.candidates=5,20 --out runs/sweep

(FSVAE, Fig. 6: reconstruction and distance over T and k.) Writes sweep.csv and sweep.png into OUT: a panel for each
figure, the first setting along the axis, a line for each combination of the others. Stopped, the same command goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurogen.plots.style import figure, shade, write_figures
from train.points import COLUMNS, Measures, fails_in_a_sentence, parser_of, points_of, table_of

TITLES = {
    "mse": "reconstruction, mean squared error",
    "fad": "autoencoder distance, samples",
    "fad_reconstructed": "autoencoder distance, reconstructions",
    "fad_paper": "as published, samples",
    "fad_paper_reconstructed": "as published, reconstructions",
    "fid": "FID",
    "rate": "spikes of a latent and step",
    "rate_gap": "rates, prior against posterior",
}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--over", action="append", required=True, metavar="section.key=value,...", help="what to vary")
    options = parser.parse_intermixed_args()
    try:
        points = points_of(options.config, options.overrides, options.over)
        measures = Measures(options.count, options.extractor, options.inception)
        rows = table_of(points, options.out, measures, "sweep")
    except (ValueError, OSError, ImportError) as error:
        fails_in_a_sentence(parser, error)
    else:
        write_figures({"sweep": sweep_figure(rows, list(points[0].settings))}, options.out)
        print(options.out / "sweep.csv")


def sweep_figure(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Any:
    """A panel for each figure that the rows have; keys: the settings, the first along the axis."""
    first, others = keys[0], keys[1:]
    names = [name for name in COLUMNS if any(name in row for row in rows)]
    ticks = list(dict.fromkeys(row[first] for row in rows))
    lines: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        lines.setdefault(tuple(row[key] for key in others), []).append(row)
    made, axes = figure(min(len(names), 4), -(-len(names) // 4))
    for axis, name in zip(axes, names, strict=False):
        for i, (values, own) in enumerate(lines.items()):
            shown = [(_place(row[first], ticks), row[name]) for row in own if name in row]
            label = ", ".join(f"{key.split('.')[-1]} {value}" for key, value in zip(others, values, strict=True))
            colour = shade(i / max(len(lines) - 1, 1))
            axis.plot(*zip(*sorted(shown), strict=True), marker="o", markersize=3, color=colour, label=label)
        axis.set_title(TITLES[name], fontsize=9)
        axis.set_xlabel(first, fontsize=8)
        axis.set_xticks([_place(value, ticks) for value in ticks], ticks)
        axis.set_ylim(bottom=0)
    for axis in axes[len(names) :]:
        axis.remove()
    if others:
        axes[0].legend(fontsize=8, frameon=False)
    return made


def _place(value: str, ticks: Sequence[str]) -> float:
    """Where a setting stands on the axis: at its number, or in its turn where some are no numbers."""
    try:
        return [float(tick) for tick in ticks][ticks.index(value)]
    except ValueError:
        return float(ticks.index(value))


if __name__ == "__main__":
    main()
