"""The event-tools command in this process, for tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from event_tools.cli import main

COMMANDS = ("info", "convert", "frames", "unframe", "filter", "cut", "merge", "show", "to-video", "compare", "simulate")


class Result:
    """Status and text of a command that ran."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[Any, ...]):
        monkeypatch.setattr(sys, "argv", ["event-tools", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        self.status = stop.value.code or 0
        self.out, self.err = capsys.readouterr()


def refused(result: Result) -> str:
    """The one sentence of a refused command."""
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("event-tools: ") and result.err.count("\n") == 1
    return result.err


def contents(path: Path) -> dict[str, bytes]:
    """Bytes by name of all files below, hidden ones too."""
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
