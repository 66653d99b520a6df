"""Recordings and a finished first stage, made once for these tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurogen.config import Config
from neurogen.training import train_run
from tests.neurogen.training.runs import make_recordings, stage1_config
from tests.neurogen.training.together import record, trainings


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


@pytest.fixture(scope="session")
def configs(recordings: Path, finished: Path) -> dict[str, Config]:
    """What one process and two train alike."""
    return trainings(recordings, finished)


@pytest.fixture(scope="session")
def alone(configs: dict[str, Config], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Name of one of `configs` -> what one process records of it, and its run."""
    folder, known = tmp_path_factory.mktemp("one"), dict[str, Any]()

    def recorded(name: str) -> tuple[dict[str, Any], Path]:
        if name not in known:
            known[name] = record(configs[name], folder / name), folder / name
        return known[name]

    return recorded
