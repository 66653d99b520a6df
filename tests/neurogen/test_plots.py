"""Figures of a run."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from neurogen.plots import codebook_figure, dark, loss_figure, plot_run, rate_curves_figure, rates_figure
from neurogen.training.errors import TrainingError

COLUMNS = ("total", "nll", "quant", "gen", "disc", "disc_weight", "logits_real", "logits_fake", "perplexity")
RATES = ("rate/decoder.0.neuron", "rate/encoder.10.neuron", "rate/encoder.2.neuron")


def run(folder: Path, columns: tuple[str, ...], rows: int = 6) -> Path:
    """A run whose column c holds step + c at steps 10, 20, ..."""
    with open(folder / "metrics.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("step", *columns))
        writer.writerows((10 * r, *(10 * r + c for c in range(len(columns)))) for r in range(1, rows + 1))
    return folder


def titles(figure: Any) -> list[str]:
    return [axis.get_title() for axis in figure.axes]


def test_an_adversarial_run_has_a_panel_for_each_loss_and_for_codebook_use(tmp_path: Path) -> None:
    figure = loss_figure(run(tmp_path, COLUMNS))
    assert titles(figure) == [
        "total",
        "nll",
        "quantiser",
        "generator",
        "discriminator",
        "discriminator weight",
        "logits",
        "codebook use",
    ]
    logits = figure.axes[6]
    assert [text.get_text() for text in logits.get_legend().get_texts()] == ["real", "generated"]


def test_a_panel_shows_the_logged_values(tmp_path: Path) -> None:
    lines = loss_figure(run(tmp_path, COLUMNS, rows=3)).axes[6].lines
    assert lines[0].get_xydata().tolist() == [[10, 16], [20, 26], [30, 36]]
    assert lines[1].get_xydata().tolist() == [[10, 17], [20, 27], [30, 37]]


def test_what_was_not_logged_has_no_panel(tmp_path: Path) -> None:
    assert titles(loss_figure(run(tmp_path, ("total", "val_bits_per_code")))) == ["total", "held-out bits per code"]


def test_rates_are_drawn_from_the_first_layer_to_the_last(tmp_path: Path) -> None:
    figure = rate_curves_figure(run(tmp_path, ("total", *RATES)))
    assert [line.get_label() for line in figure.axes[0].lines] == ["encoder.2", "encoder.10", "decoder.0"]


def test_plotting_a_run_writes_both_pictures(tmp_path: Path) -> None:
    paths = plot_run(run(tmp_path, ("total", *RATES)))
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "pictures/losses.png",
        "pictures/rate_curves.png",
    ]
    for path in paths:
        with Image.open(path) as picture:
            assert min(picture.size) > 200 and len(picture.convert("L").getcolors(256) or range(257)) > 2


def test_a_run_without_rates_has_losses_alone(tmp_path: Path) -> None:
    assert [path.name for path in plot_run(run(tmp_path, ("total",)))] == ["losses.png"]


def test_a_run_without_figures_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"metrics.csv, found none; train the run first"):
        plot_run(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_codebook_use_is_in_percent_of_sites_ordered_by_real_use() -> None:
    real, generated = np.array([[2, 2], [2, 0]]), np.array([[1, 1], [2, 0]])
    table = np.arange(12.0).reshape(3, 4)
    use, rows, _ = codebook_figure(real, generated, table, steps=2).axes
    assert use.lines[0].get_ydata().tolist() == [25, 25, 50]  # rows 2, 0, 1
    assert rows.images[0].get_array().tolist() == [table[2].tolist(), table[0].tolist(), table[1].tolist()]
    assert [label.get_text() for label in rows.get_xticklabels()] == ["step 1", "step 2"]
    assert [line.get_xdata()[0] for line in rows.lines] == [1.5]  # between the two steps of two channels


def test_an_empty_codebook_can_be_drawn() -> None:
    codebook_figure(np.zeros((1, 2), int), np.zeros((1, 2), int), np.zeros((4, 4)), steps=2)


def test_rates_of_layers_are_bars_from_the_top() -> None:
    axis = rates_figure({"encoder.0.neuron": 0.25, "decoder.0.neuron": 0.5}).axes[0]
    assert [bar.get_width() for bar in axis.patches] == [0.25, 0.5]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["encoder.0", "decoder.0"]


def test_dark_figures_leave_others_as_they_were() -> None:
    import matplotlib

    before = matplotlib.rcParams["figure.facecolor"]
    with dark():
        figure = rates_figure({"a": 0.1})
    assert figure.get_facecolor()[:3] == pytest.approx((0x0D / 255, 0x11 / 255, 0x17 / 255))
    assert matplotlib.rcParams["figure.facecolor"] == before


def test_drawing_leaves_the_programs_own_figures_and_window_system_alone(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom neurogen.plots import plot_run\n"
        "plot_run(Path(sys.argv[1]))\nassert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(run(tmp_path, ("total",)))], check=True)
