"""Bars stand on a terminal's stderr and nowhere else; what is told does not break them."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from event_tools import read
from event_tools.progress import events_progress, progress, walked
from tests.event_tools.command_line import Result
from tests.event_tools.test_datasets import folder, recording


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """In place of stderr, until the test ends; a fixture would be undone by pytest's own capture."""
    monkeypatch.setattr("event_tools.progress.DELAY_S", 0)
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


def test_a_bar_counts_steps_and_a_sentence_stands_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with progress(3, "convert") as shown:
        shown.step()
        shown.tell("something")
        shown.step(2)
    assert "convert:" in screen.getvalue() and "3/3" in screen.getvalue()
    assert "\revent-tools: something\n" in screen.getvalue().replace(" \r", "\r").replace("\r\r", "\r")


def test_one_step_has_no_bar_and_items_are_counted_as_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with progress(1, "convert") as shown:
        shown.step()
    assert screen.getvalue() == ""
    assert list(walked([4, 5], 2, "reading")) == [4, 5]
    assert "2/2" in screen.getvalue()


def test_a_recording_is_counted_in_events(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with events_progress(None, "cut") as shown:
        shown.step(29)
    assert "29.0 events" in screen.getvalue()


def test_nothing_is_drawn_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(3, "convert") as shown, events_progress(3, "convert") as other:
        shown.step()
        other.step()
        shown.tell("something")
    assert capsys.readouterr().err == "event-tools: something\n"


@pytest.mark.parametrize("many", [False, True])
def test_converting_shows_events_of_one_recording_and_recordings_of_many(
    one: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    source = folder(one.parent / "set") if many else one
    out = one.parent / ("out" if many else "out.h5")
    screen = terminal(monkeypatch)
    assert Result(capsys, monkeypatch, ("convert", source, out, "--to", "h5", "--workers", 1)).status == 0
    assert ("5/5" if many else "/29.0 ") in screen.getvalue()
    assert many or read(out) == recording(9)
