"""The guide's example runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from event_tools import Events, info, write
from tests.data import ROOT


def test_the_example_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 300_000, 4000))
    write("00002.bin", Events(t, rng.integers(0, 34, 4000), rng.integers(0, 34, 4000), t % 2, (34, 34)))
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "events.md").read_text(), re.DOTALL)
    exec(example, {})
    assert info("00002.aedat4").provenance == {"seed": 0, "made_from": "00002.bin"}
