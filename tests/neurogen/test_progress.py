"""The progress bar: on a terminal with the time left, elsewhere silent."""

from __future__ import annotations

import io
import sys

import pytest

from neurogen.progress import bar


class Screen(io.StringIO):
    """A stderr that says whether it is a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def shown(monkeypatch: pytest.MonkeyPatch, terminal: bool, total: int | None) -> str:
    screen = Screen(terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    with bar("training", total, 2) as progress:
        progress(total or 3)
    return screen.getvalue()


def test_a_terminal_sees_how_far_it_is_and_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, True, 4)
    assert "training" in text
    assert "4/4" in text
    assert "<" in text  # elapsed<left


def test_a_pipe_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, False, 4) == ""


def test_without_a_total_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, True, None) == ""
