"""`neurogen plot`: what cannot be drawn is said in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.neurogen.commands.answers import Command, refused
from tests.neurogen.tiny import event_model


def test_what_cannot_be_drawn_is_refused_in_one_sentence(run: Command, tmp_path: Path) -> None:
    folder = event_model().save(tmp_path / "model")
    assert "expected --out FOLDER" in refused(run("plot", str(folder)))
    assert "expected a" in refused(run("plot", str(tmp_path / "nothing"), "--out", str(tmp_path / "out")))
    missing = str(tmp_path / "no-data")
    assert "no-data" in refused(run("plot", str(folder), "--out", str(tmp_path / "out"), "--data", missing))
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "altered or cut short" in refused(run("plot", str(folder), "--out", str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_the_paths_of_the_pictures_are_the_answer(
    run: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = event_model().save(tmp_path / "model")
    monkeypatch.setattr("neurogen.plots.command.plot_model", lambda _model, out, _items: [out / "rates.png"])
    monkeypatch.setattr("neurogen.plots.command.items_of", lambda model, data: _Items())
    answer = run("plot", str(folder), "--out", str(tmp_path / "out"))
    assert (answer.returncode, answer.stdout.split()) == (0, [str(tmp_path / "out" / "rates.png")])
    assert "on its own samples" in answer.stderr


class _Items:
    real = False
