"""What the first stage says of its data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

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
