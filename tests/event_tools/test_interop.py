"""Written files as independent readers see them. $NEUROGEN_READERS: an interpreter that has them, if not this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from event_tools import Events, write
from tests.data import ROOT


def recordings() -> list[Events]:
    """Usual and unusual ones; N-MNIST's format bounds time and place."""
    rng = np.random.default_rng(0)

    def random(n: int, last_us: int) -> Events:
        t = np.sort(rng.integers(0, last_us, n))
        return Events(t, rng.integers(0, 34, n), rng.integers(0, 34, n), rng.integers(0, 2, n), (34, 34))

    return [random(4000, 300_000), random(25_000, (1 << 23) - 1), random(1, 300_000), random(2, 1)]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """What the benchmark of readers says of each format and reader."""
    folder = tmp_path_factory.mktemp("readers")
    for i, events in enumerate(recordings()):
        for suffix in (".bin", ".aedat4", ".h5"):
            write(folder / f"{i}{suffix}", events)
    pythons = [python for python in (os.environ.get("NEUROGEN_READERS"), sys.executable) if python]
    command = [sys.executable, str(ROOT / "benchmarks" / "readers.py"), str(folder), "--python", *pythons]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return {(line["format"], line["reader"]): line for line in map(json.loads, result.stdout.splitlines())}


@pytest.mark.interop
@pytest.mark.parametrize(
    ("format", "reader"),
    [
        ("bin", "tonic"),
        ("bin", "spikingjelly"),
        ("aedat4", "aedat"),
        ("aedat4", "dv-processing"),
        ("aedat4", "tonic"),
        ("hdf5", "h5py"),
    ],
)
def test_an_independent_reader_finds_the_same_events(
    answers: dict[tuple[str, str], dict[str, Any]], format: str, reader: str
) -> None:
    answer = answers[format, reader]
    if answer["equal"] is None:
        pytest.skip(f"{reader} is not installed here; name an interpreter that has it in $NEUROGEN_READERS")
    assert answer["equal"], answer["why"]
    assert (answer["files"], answer["events"]) == (4, 29_003)
