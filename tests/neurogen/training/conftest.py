"""Recordings and a finished first stage, made once for these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurogen.training import train_run
from tests.neurogen.training.runs import make_recordings, stage1_config


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="session")
def finished(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "finished"
    return train_run(stage1_config(recordings), out)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
