"""The guides' examples run as they stand, one after the other, and leave what they say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from event_tools import Events, info, read, write
from event_tools.datasets import open_recordings
from tests.data import ROOT

GUIDES = ("events.md", "event-files.md")


def examples(guide: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / guide).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One N-MNIST file and a set of four, made up, in the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)

    def made(path: Path, n: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        t = np.sort(rng.integers(0, 300_000, n))
        write(path, Events(t, rng.integers(0, 34, n), rng.integers(0, 34, n), t % 2, (34, 34)))

    made(Path("00002.bin"), 4000)
    for label in "37":
        for number in (1, 2):
            made(Path("N-MNIST") / "Train" / label / f"{number}.bin", 100)
    return tmp_path


def test_the_guides_examples_run(folder: Path) -> None:
    ran = 0
    for guide in GUIDES:
        for example in examples(guide):
            exec(compile(example, guide, "exec"), {})
            ran += 1
    assert ran >= 5
    assert info("00002.aedat4").provenance == {"seed": 0, "made_from": "00002.bin"}
    assert len(read("00002.h5")) == 4000
    assert open_recordings("set.h5").classes == ("3", "7")
    assert read("small.aedat4").sensor_size == (30, 30)
