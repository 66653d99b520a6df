"""Fixtures of the command line's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from event_tools import write
from tests.event_tools.command_line import Result
from tests.event_tools.test_datasets import recording


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `event-tools` with arguments."""
    return lambda *arguments: Result(capsys, monkeypatch, arguments)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A recording of 29 events at 0 to 28 us."""
    write(tmp_path / "one.bin", recording(9))
    return tmp_path / "one.bin"
