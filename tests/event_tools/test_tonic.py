"""Frames, voxels and surfaces beside tonic's own. $NEUROGEN_READERS: an interpreter that has it, if not this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_tools import Events, averaged_surfaces, count_image, time_surfaces, to_tonic, tonic_frames, voxel_grid
from event_tools.interop import TONIC

pytestmark = pytest.mark.interop
SIZE = (5, 3)
# Runs with tonic alone: structured arrays and arguments in, what its transforms make of them out.
TONIC_RUNS = """
import json, sys
import numpy as np
try:
    from tonic import transforms
except ImportError:
    sys.exit(3)
arrays, out = np.load(sys.argv[1]), {}
for name, (kind, arguments) in json.loads(sys.stdin.read()).items():
    out[name] = getattr(transforms, kind)((5, 3, 2), **arguments)(arrays[name])
np.savez(sys.argv[2], **out)
"""


def by_tonic(folder: Path, cases: dict[str, tuple[np.ndarray, str, dict[str, Any]]]) -> dict[str, np.ndarray]:
    """What tonic's transforms (by name, with arguments) make of structured arrays; skips where it is not installed."""
    np.savez(folder / "in.npz", **{name: array for name, (array, _, _) in cases.items()})
    asked = json.dumps({name: (kind, arguments) for name, (_, kind, arguments) in cases.items()})
    for python in filter(None, (os.environ.get("NEUROGEN_READERS"), sys.executable)):
        command = [python, "-c", TONIC_RUNS, str(folder / "in.npz"), str(folder / "out.npz")]
        result = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return dict(np.load(folder / "out.npz"))
        if result.returncode != 3:
            pytest.fail(result.stderr)
    pytest.skip("tonic is not installed here; name an interpreter that has it in $NEUROGEN_READERS")


def recording(rng: np.random.Generator, n: int, span: int, first: int) -> Events:
    t = np.sort(rng.integers(0, span, n)) + first
    return Events(t, rng.integers(0, SIZE[0], n), rng.integers(0, SIZE[1], n), rng.integers(0, 2, n), SIZE)


def a_rule(rng: np.random.Generator, span: int, first: int) -> dict[str, Any]:
    """Arguments for ToFrame at random, every parameter among them."""
    kind = rng.choice(["time_window", "event_count", "n_time_bins", "n_event_bins"])
    if kind == "time_window":
        window = float(rng.choice([max(span // 7, 1), max(span / 5, 0.5), 2 * span, max(span // 33, 1)]))
        rule = {kind: int(window) if window.is_integer() else window}
        rule["overlap"] = window * float(rng.choice([0, 0.25, 0.5, 0.9]))
        if rng.random() < 0.5:
            rule["start_time"] = first - int(rng.integers(-3, 5))
        if rng.random() < 0.5:
            rule["end_time"] = first + span + int(rng.integers(-3, 30))
    else:
        rule = {kind: int(rng.integers(1, 30))}
        rule["overlap"] = (
            int(rng.integers(0, rule[kind])) if kind == "event_count" else float(rng.choice([0, 0.3, 0.77]))
        )
    if kind in ("time_window", "event_count"):
        rule["include_incomplete"] = bool(rng.random() < 0.5)
    return rule


def test_windows_are_tonics_cut_for_cut(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    recordings, cases = {}, {}
    for i in range(1500):
        span, first = int(rng.choice([1, 5, 50, 1000, 10**6])), int(rng.choice([0, 7, 1_600_000_000_000_000]))
        recordings[str(i)] = recording(rng, int(rng.integers(1, 80)), span, first)
        cases[str(i)] = (to_tonic(recordings[str(i)]), "ToFrame", a_rule(rng, span, first))
    theirs = by_tonic(tmp_path, cases)
    for name, events in recordings.items():
        assert np.array_equal(tonic_frames(events, **cases[name][2]), theirs[name]), cases[name][2]


def test_voxels_are_tonics_first_planes_of_one_more_than_it_makes(tmp_path: Path) -> None:
    # tonic stretches the events over T planes where Zhu et al. stretch them over T - 1, and drops what lies on the last
    signed = np.dtype([(name, np.int8 if name == "p" else TONIC[name]) for name in TONIC.names])
    events = recording(np.random.default_rng(1), 5000, 100_000, 50)
    theirs = by_tonic(tmp_path, {"grid": (to_tonic(events, signed), "ToVoxelGrid", {"n_time_bins": 7})})["grid"]
    assert voxel_grid(events, 8)[:7] == pytest.approx(theirs, abs=1e-4)  # 32-bit sums of about 50 events


def test_surfaces_and_images_are_tonics(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    t = np.sort(rng.integers(0, 100, 3000) * 1000 + rng.integers(1, 1000, 3000))  # none on a surface's own time
    t[0] = 0
    events = Events(t, rng.integers(0, 5, 3000), rng.integers(0, 3, 3000), rng.integers(0, 2, 3000), SIZE)
    cases = {
        "surfaces": (to_tonic(events), "ToTimesurface", {"dt": 1000, "tau": 5000}),
        "image": (to_tonic(events), "ToImage", {}),
    }
    theirs = by_tonic(tmp_path, cases)
    at = 1000 * np.arange(1, len(theirs["surfaces"]) + 1)
    assert time_surfaces(events, 5000, at) == pytest.approx(theirs["surfaces"], abs=1e-6)
    assert np.array_equal(count_image(events, "split"), theirs["image"])


def test_averaged_surfaces_are_tonics_less_the_event_itself(tmp_path: Path) -> None:
    # tonic adds each event's own 1 at the centre, where Sironi et al. sum over earlier events alone
    rng = np.random.default_rng(3)
    t = np.sort(rng.choice(20_000, 400, replace=False))
    events = Events(t, rng.integers(0, 5, 400), rng.integers(0, 3, 400), rng.integers(0, 2, 400), SIZE)
    asked = {"cell_size": 3, "surface_size": 3, "time_window": 5000, "tau": 2000, "decay": "exp"}
    theirs = by_tonic(tmp_path, {"hats": (to_tonic(events), "ToAveragedTimesurface", asked)})["hats"]
    theirs[:, :, 1, 1] -= 1
    assert averaged_surfaces(events, 3, 1, 2000, 5000).reshape(2, 2, 3, 3) == pytest.approx(theirs, abs=1e-4)
