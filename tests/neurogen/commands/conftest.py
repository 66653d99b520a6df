"""The command in this process, and tiny things that it is given."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurogen import cli
from neurogen.config import dump_config
from tests.neurogen.commands.answers import Answer, Command
from tests.neurogen.tiny import event_model
from tests.neurogen.training.runs import make_recordings, stage1_config


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command in this process, so that torch is imported once."""
    monkeypatch.setattr(cli, "_tune", lambda: None)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setenv("NO_COLOR", "1")
    before = signal.getsignal(signal.SIGTERM)

    def command(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["neurogen", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        return Answer(code, *capsys.readouterr())

    yield command
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return event_model().save(tmp_path_factory.mktemp("cli") / "model")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="module")
def config_file(recordings: Path) -> Path:
    """A configuration of a few tiny steps, as a user's own file."""
    path = recordings / "mine.yaml"
    path.write_text(dump_config(stage1_config(recordings)))
    return path


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
