"""The files for Python 3.10: what they import, and, where lava is, that they make the simulator's spikes."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from export.netx import write_netx
from tests.export.verify_lava import RUNNER, chips, compare

FILES = sorted(RUNNER.parent.glob("*.py"))
LAVA = os.environ.get("NEUROGEN_LAVA_PYTHON", "")
FEW = ("skip", "flattened", "transposed groups, extended", "membrane read-out", "dense sigma read-out", "counts")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_needs_only_numpy_h5py_and_lava(path: Path) -> None:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 10))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").split(".")[0])
    assert modules - set(sys.stdlib_module_names) <= {"numpy", "h5py", "lava"}
    assert {path.name for path in FILES} == {"netx_extended.py", "run_netx.py"}


@pytest.mark.interop
@pytest.mark.skipif(
    not LAVA, reason="NEUROGEN_LAVA_PYTHON names no Python 3.10 with lava-dl 0.6.0; see make verify-lava"
)
@pytest.mark.parametrize("name", FEW)
def test_lava_makes_the_simulators_spikes(tmp_path: Path, name: str) -> None:
    chip, given = chips()[name]
    write_netx(chip, tmp_path / "a.net")
    rows = compare(LAVA, tmp_path / "a.net", given)
    assert [row.mismatches for row in rows] == [0] * len(chip.layers)
    assert all(row.active for row in rows)


@pytest.mark.interop
@pytest.mark.skipif(
    not LAVA, reason="NEUROGEN_LAVA_PYTHON names no Python 3.10 with lava-dl 0.6.0; see make verify-lava"
)
def test_the_faster_convolution_is_lavas(tmp_path: Path) -> None:
    chip, given = chips()["grouped"]
    write_netx(chip, tmp_path / "a.net")
    slow, fast = (compare(LAVA, tmp_path / "a.net", given, fast=fast) for fast in (False, True))
    assert slow == fast
    assert not np.any([row.mismatches for row in slow])
