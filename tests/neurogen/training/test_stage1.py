"""What the first stage says of its data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from neurogen.codebook.usage import BITS, ROWS
from neurogen.config import StageOneConfig, parse_config
from neurogen.model import load
from neurogen.training import train_run
from neurogen.training.log import read_metrics
from neurogen.training.stage1 import StageOneSystem
from tests.neurogen.training.runs import make_recordings, stage1_config


def test_what_a_crop_loses_is_told_before_training_and_stands_on_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    data = make_recordings(tmp_path / "data")
    system = StageOneSystem(stage1_config(data), torch.device("cpu"), tmp_path / "run")
    total = int(system.data.event_counts.sum())
    kept = int(system.data.counts[..., 9:25, 9:25].sum())
    said = f"the central 16x16 of 34x34 pixels loses {total - kept:,} of {total:,} counted events"
    assert capsys.readouterr().err.startswith(f"data: {said} (")
    system.finish(tmp_path / "model", {"val_mse": 1.0, "val_perplexity": 2.0})
    assert f"- crop: {said}" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "names", "codes"),
    [
        ("repeated", ROWS, "one of 32 rows a site for all steps, the same at each"),
        ("per_step", ROWS, "one of 32 rows a site and step"),
        ("spike", BITS, "spikes of 4 neurons a site"),
    ],
)
def test_every_kind_of_codes_is_trained_logged_and_said(
    kind: str, names: tuple[str, ...], codes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    values = stage1_config(make_recordings(tmp_path / "data"), accumulate=2, average=0.5).model_dump(mode="json")
    values["codebook"] |= {"kind": kind}
    config = parse_config(values)
    assert isinstance(config, StageOneConfig)
    run = train_run(config, tmp_path / "run")
    rows = read_metrics(run / "metrics.csv")
    assert all(all(name in row for name in names) for row in rows if "total" in row)
    assert f"val_{names[0]}" in rows[-1]
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert f"- time steps: 4; codes: {codes}\n" in card
    assert f"- held-out {names[0].replace('_', ' ')}: " in card
    model = load(run)
    x = torch.rand(5, 4, 2, 16, 16)
    items = model.code_form.items_first(model.encode(x))
    assert items.shape == (5, *model.code_form.item_shape)
    assert model.reconstruct(x).shape == x.shape
