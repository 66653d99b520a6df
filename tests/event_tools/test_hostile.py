"""The harness itself: its mutations are reproducible, and it sees the faults that it is there for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from event_tools import EventFileError
from event_tools.finding import FORMATS
from event_tools.formats.reader import Columns, Reader
from tests.event_tools.hostile import MUTATIONS, mutations, survives

FILE = bytes(range(1, 41))


class _Reader(Reader):
    """An event per byte at the byte's number; `fault` happens in the file that is not FILE."""

    def __init__(self, data: bytes, fault: str) -> None:
        super().__init__(sensor_size=(1, 1))
        self.data, self.fault = data, fault

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        data = self.data
        if data != FILE:
            if self.fault == "crash":
                raise IndexError("out of range")
            if self.fault == "memory" and len(data) == 39:
                np.ones(200 << 20, np.uint8)
            if self.fault != "other events":
                raise EventFileError(Path("one.fake"), "it was altered")
            data = FILE[:10] + b"\x0b" + FILE[:5]
        n = len(data)
        yield Columns(np.arange(n), np.zeros(n, np.uint16), np.zeros(n, np.uint16), np.zeros(n, np.uint8))


def fake(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    module: Any = SimpleNamespace(
        SUFFIXES=(".fake",),
        READS=frozenset(),
        matches=lambda head: True,
        open_reader=lambda file, path, reading: _Reader(file.getvalue(), fault),
    )
    kept: dict[str, ModuleType] = {"fake": module}
    for name in list(FORMATS):
        monkeypatch.delitem(FORMATS, name)
    monkeypatch.setitem(FORMATS, "fake", kept["fake"])


def test_mutations_are_as_many_as_promised_and_the_same_for_a_seed() -> None:
    once = list(mutations(FILE, 3))
    assert once == list(mutations(FILE, 3)) != list(mutations(FILE, 4))
    assert len(once) == MUTATIONS
    assert [data for kind, data in once if kind.startswith("cut")] == [FILE[:cut] for cut in range(40)]


def test_a_reader_that_refuses_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, "none")
    assert survives(FILE, "one.fake", exact=True) > 900  # some copies and extremes change nothing


def test_an_error_that_is_no_sentence_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, "crash")
    with pytest.raises(IndexError):
        survives(FILE, "one.fake")


def test_other_events_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, "other events")
    with pytest.raises(AssertionError, match="other events without an error"):
        survives(FILE, "one.fake", exact=True)


def test_too_much_memory_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, "memory")
    with pytest.raises(AssertionError, match="MiB for at most 40 events"):
        survives(FILE, "one.fake")
