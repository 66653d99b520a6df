"""Written files as independent readers see them. $NEUROGEN_READERS: an interpreter that has them, if not this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.data import ROOT

AEDAT4 = ("aedat", "dv-processing", "dv", "faery", "tonic", "evutils", "eventcv")
EQUAL = {  # what is read, event by event; other readers of a format do not know it or read it differently
    "N-MNIST .bin": ("tonic", "spikingjelly"),
    "SLAYER .bs2": ("spikingjelly",),
    "AEDAT 2.0 DVS128, tonic": ("tonic internals",),
    "AEDAT 2.0 DVS128, spikingjelly": ("spikingjelly internals",),
    "AEDAT 3.1": ("spikingjelly", "dv", "evutils"),
    "AEDAT 4.0 LZ4": (*AEDAT4, "evlib", "aestream"),
    "AEDAT 4.0 none": (*AEDAT4, "evlib"),
    "AEDAT 4.0 ZSTD": AEDAT4,
    "HDF5 DSEC": ("h5py", "tonic's DSEC", "evutils", "eventcv", "evlib"),
    "HDF5 rpg": ("h5py",),
    "DAT": ("faery", "evutils", "eventcv", "expelliarmus", "aestream"),
    "EVT2": ("faery", "evutils", "eventcv", "evlib", "expelliarmus"),
    "EVT3": ("faery", "evutils", "eventcv", "evlib"),
    "Event Stream 2.0": ("faery",),
    "npz": ("numpy", "evutils", "eventcv"),
    "npy": ("numpy",),
    "CSV": ("numpy", "faery", "evutils", "eventcv"),
}


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], dict[str, Any]]:
    """What the benchmark of readers says of each format and reader."""
    pythons = [python for python in (os.environ.get("NEUROGEN_READERS"), sys.executable) if python]
    command = [sys.executable, str(ROOT / "benchmarks" / "readers.py"), "--python", *pythons]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return {(line["format"], line["reader"]): line for line in map(json.loads, result.stdout.splitlines())}


@pytest.mark.interop
@pytest.mark.parametrize(
    ("format", "reader"), [(name, reader) for name, readers in EQUAL.items() for reader in readers]
)
def test_an_independent_reader_finds_the_same_events(
    answers: dict[tuple[str, str], dict[str, Any]], format: str, reader: str
) -> None:
    answer = answers[format, reader]
    if answer["equal"] is None:
        pytest.skip(f"{reader} is not installed here; name an interpreter that has it in $NEUROGEN_READERS")
    assert answer["equal"], answer["why"]
    assert answer["files"] >= 2 and answer["events"] > 25_000
