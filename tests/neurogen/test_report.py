"""The demo's report."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from event_tools import Events
from event_tools.realism import Row
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.report import ReportInput, side_by_side, write_report
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.test_plots import run
from tests.neurogen.tiny import event_model


def recording(n: int) -> Events:
    return Events(np.arange(n) * 10, np.arange(n) % 18, np.arange(n) % 17, np.arange(n) % 2, (18, 18))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> ReportInput:
    folder = run(tmp_path_factory.mktemp("run"), ("total", "nll", "perplexity"))
    rows = [
        Row("count_w1", "of the mean count", 0.03, 0.01),
        Row("ties", "difference in share", 0.00005, 0.0004),
        Row("log_isi_w1", "decades", float("nan"), 0.002),
    ]
    return ReportInput(
        title="a <title>",
        model=event_model(),
        figures={"recognised": "7 of 9", "classifier_on_test": 0.987, "events_per_recording": 2141.2},
        generated=[("a", recording(30)), ("b", recording(31))],
        real=[("a", recording(40)), ("b", recording(41)), ("a", recording(42))],
        generated_codes=np.array([[[0, 1], [1, 1]]]),
        real_codes=np.array([[[0, 1], [2, 3]]] * 5),
        realism=rows,
        rates={"encoder.neuron": 0.2},
        runs={"first stage": folder, "prior": folder},
    )


@pytest.fixture(scope="module")
def page(report: ReportInput, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(tmp_path_factory.mktemp("page") / "report.html", report).read_text(encoding="utf-8")


def test_real_and_generated_stand_together_by_class() -> None:
    real = [("a", recording(1)), ("b", recording(2)), ("a", recording(3))]
    generated = [("a", recording(4)), ("c", recording(5))]
    shown = [(title, len(events)) for title, events in side_by_side(real, generated)]
    assert shown == [("a real", 1), ("a real", 3), ("a generated", 4), ("b real", 2), ("c generated", 5)]


def test_one_player_holds_all_recordings(page: str) -> None:
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
    assert [(item["title"], item["n"]) for item in json.loads(data)["recordings"]] == [
        ("a real", 40),
        ("a real", 42),
        ("a generated", 30),
        ("b real", 41),
        ("b generated", 31),
    ]


def test_the_page_loads_nothing(page: str) -> None:
    assert "default-src 'none'; img-src data:" in page and "<title>a &lt;title&gt;</title>" in page
    assert not re.search(r"""https?://|src="(?!data:)|href=|@import|url\(|fetch\(""", page)


def test_every_figure_is_a_picture_in_the_page(page: str) -> None:
    assert re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,', page) == [
        "first stage losses",
        "prior losses",
        "codebook use",
        "firing rates",
    ]


def test_figures_read_as_sentences(page: str) -> None:
    for shown in ("<b>7 of 9</b>", "<b>98.7 %</b>", "<b>2,141</b>"):
        assert shown in page
    assert "asked label" in page and "trained on 100 recordings" in page


def test_each_distance_stands_beside_its_floor(page: str) -> None:
    rows = re.findall(r"<tr><td>(.*?)</td></tr>", page)
    cells = [re.sub("<[^>]*>", "|", row).strip("|").split("|") for row in rows]
    assert [[cell for cell in row if cell][1:] for row in cells] == [
        ["0.0300", "0.0100", "of the mean count", "3.0"],
        ["0.00005", "0.00040", "difference in share", "0.1"],
        ["–", "0.0020", "decades", "–"],
    ]
    assert 'class="ratio over"' in rows[0] and 'class="ratio"' in rows[1]


def test_codebook_use_is_said_in_words(page: str) -> None:
    assert "In 5 real recordings 4 of 32 rows fire, perplexity 4." in page
    assert "In 1 generated recordings 2 of 32 rows fire, perplexity 2." in page


def test_a_first_stage_alone_has_a_report_too(report: ReportInput, tmp_path: Path) -> None:
    model = report.model
    alone = dataclasses.replace(model.stored, prior=None, prior_config=None)
    page = write_report(tmp_path / "r.html", dataclasses.replace(report, model=type(model)(alone))).read_text()
    assert "trained on 100 recordings" in page


@pytest.mark.parametrize(
    ("kind", "shape", "said"),
    [
        ("per_step", (5, 4, 4, 4), ("per-step-codebook", "its 32 codes", "A row is a vector that stands for one step")),
        ("repeated", (5, 4, 4), ("repeated-codebook", "its 32 codes", "A row is a vector that stands for all steps")),
        ("spike", (5, 4, 4, 4, 4), ("spike-codebook", "its 4 bits a site and step", "the pattern of spikes")),
    ],
)
def test_codes_of_every_kind_are_shown(
    kind: str, shape: tuple[int, ...], said: tuple[str, ...], report: ReportInput, tmp_path: Path
) -> None:
    stored = report.model.stored
    book = stored.config.codebook.model_copy(update={"kind": kind})
    config = stored.config.model_copy(update={"codebook": book})
    model = TwoStageModel(dataclasses.replace(stored, config=config, network=TTSVQVAE(config).eval()))
    items = np.zeros(shape, np.int64)
    items[:, ..., :2] = 1  # every row, or every bit, in half of all places
    codes = np.moveaxis(items, 0, model.code_form.item_axis)
    shown = dataclasses.replace(report, model=model, real_codes=codes, generated_codes=codes)
    page = write_report(tmp_path / "r.html", shown).read_text(encoding="utf-8")
    assert all(words in page for words in said)
    if kind == "spike":
        assert "In 5 real recordings a bit is 1 in 50% of places and has an entropy of 1.00, 0 are dead." in page
    else:
        assert "In 5 generated recordings 2 of 32 rows fire, perplexity 2." in page
