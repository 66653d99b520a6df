"""Figures of a run: which panels there are, and what they draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurogen.plots import codebook_figure, loss_figure, plot_run, rate_curves_figure
from neurogen.training.errors import TrainingError

LOSSES = "step,total,nll,quant,gen,disc,disc_weight,logits_real,logits_fake,perplexity,used_codes,rate/a,rate/b\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = [f"{step},{9 - step},8,1,0.5,0.25,0.1,0.2,-0.2,12,20,0.1,0.0{step}\n" for step in (1, 2, 3)]
    (tmp_path / "metrics.csv").write_text(LOSSES + "".join(rows))
    return tmp_path


def test_every_loss_and_the_use_of_the_codebook_have_a_panel(run: Path) -> None:
    titles = [axis.get_title() for axis in loss_figure(run).axes]
    losses = ["total", "nll", "quantiser", "generator", "discriminator", "discriminator weight", "logits"]
    assert titles == [*losses, "codebook"]


def test_a_panel_draws_what_was_logged(run: Path) -> None:
    total = loss_figure(run).axes[0].lines[0]
    assert total.get_xdata().tolist() == [1, 2, 3]
    assert total.get_ydata().tolist() == [8, 7, 6]


def test_losses_that_a_run_does_not_have_take_no_room(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,total,gen\n1,3,\n2,2,\n")
    assert [axis.get_title() for axis in loss_figure(tmp_path).axes] == ["total"]


def test_each_spiking_layer_has_a_curve_of_its_rate(run: Path) -> None:
    (axis,) = rate_curves_figure(run).axes
    assert {line.get_label(): line.get_ydata().tolist() for line in axis.lines} == {
        "a": [0.1, 0.1, 0.1],
        "b": [0.01, 0.02, 0.03],
    }


def test_the_figures_lie_in_the_run(run: Path) -> None:
    paths = plot_run(run)
    assert [path.relative_to(run).as_posix() for path in paths] == ["pictures/losses.png", "pictures/rates.png"]
    for path in paths:
        with Image.open(path) as picture:
            picture.verify()


def test_a_run_without_figures_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="found none; train the run first"):
        plot_run(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_the_codebook_shows_its_most_used_rows_first() -> None:
    table = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    figure = codebook_figure(np.array([2, 2, 2, 0]), np.array([1, 1, 0, 2]), table, steps=2)
    assert figure.axes[0].lines[0].get_ydata().tolist() == [0.75, 0.25, 0.0]
    assert figure.axes[1].images[0].get_array().tolist() == [[2.0, 2.0], [0.0, 0.0], [1.0, 1.0]]
