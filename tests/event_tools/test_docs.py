"""The guide's examples run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_tools import Events, info, write
from tests.data import ROOT

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "events.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_example_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 300_000, 4000))
    write("00002.bin", Events(t, rng.integers(0, 34, 4000), rng.integers(0, 34, 4000), t % 2, (34, 34)))
    exec(EXAMPLES[0], {})
    assert info("00002.aedat4").provenance == {"seed": 0, "made_from": "00002.bin"}


def test_the_guides_arrays_become_events_and_its_loader_gives_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    events = Events([0, 5, 9], [1, 2, 3], [4, 5, 33], [0, 1, 1], (34, 34))
    for label in range(2):
        folder = Path("N-MNIST") / "Train" / str(label)
        folder.mkdir(parents=True)
        write(folder / "1.bin", events)
    names: dict[str, Any] = {}
    exec(EXAMPLES[1], names)
    (frames, labels), *others = names["loader"]
    assert frames.shape == (10, 2, 2, 34, 34) and frames.sum() == 6
    assert sorted(labels.tolist()) == [0, 1] and not others
    table = np.array([(1, 4, 0, False), (2, 5, 5, True), (3, 33, 9, True)], [(n, int) for n in "xyt"] + [("p", bool)])
    assert names["from_arrays"](table, (34, 34)) == events
