"""`neurogen evaluate` in this process, with a cache of its own."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from neurogen import cli

Answer = tuple[int, str, str]


@pytest.fixture
def evaluate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Answer]]:
    """Exit status, stdout and stderr of the command."""
    monkeypatch.setattr(cli, "_tune", lambda: None)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("NO_COLOR", "1")
    before = signal.getsignal(signal.SIGTERM)

    def command(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["neurogen", "evaluate", *map(str, arguments)])
        try:
            cli.main()
            code: int | str = 0
        except SystemExit as end:
            code = end.code or 0
        return (int(code), *capsys.readouterr())

    yield command
    signal.signal(signal.SIGTERM, before)
