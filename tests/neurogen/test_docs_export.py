"""The guide to `export`: its example runs as it stands, its script is Python, and in lava it finds no mismatch."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import layer, neuron

import export
from export.samples import samples
from tests.data import ROOT

GUIDE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")


def _block(kind: str) -> str:
    (text,) = re.findall(rf"```{kind}\n(.*?)```", GUIDE, re.DOTALL)
    return text


def test_the_example_runs_and_leaves_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(_block("python"), "export.md", "exec"), names)
    assert {path.name for path in tmp_path.iterdir()} == {"network.net", "network.net.json", "network.nir"}
    report = names["report"]
    assert isinstance(report, export.Report)
    assert report.agreement.spikes
    assert names["out"]["1"].shape == (6, 4, 8, 8, 8)  # type: ignore[index]


def test_the_script_for_lava_is_python() -> None:
    compile(_block("lava"), "export.md", "exec")


@pytest.mark.interop
def test_the_script_for_lava_finds_no_mismatch(tmp_path: Path) -> None:
    python = os.environ.get("NEUROGEN_LAVA_PYTHON")
    if not python:
        pytest.skip("NEUROGEN_LAVA_PYTHON names no interpreter with lava-dl")
    torch.manual_seed(0)
    parts: list[torch.nn.Module] = []
    for _ in range(4):  # the script shows the fourth layer's
        parts += [layer.Conv2d(3, 3, 3, padding=1, step_mode="m"), neuron.LIFNode(v_threshold=0.1, step_mode="m")]
    given = (torch.rand(4, 3, 3, 6, 6) < 0.4).float()
    module = torch.nn.Sequential(*parts).eval()
    chip = export.quantise(export.read(module, given), given.numpy())
    export.write_netx(chip, tmp_path / "decoder.net")
    np.savez(tmp_path / "samples.npz", **samples(chip, given.numpy()))
    script = tmp_path / "script.py"
    script.write_text(_block("lava"), encoding="utf-8")
    done = subprocess.run([python, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"mismatches: 0 of {4 * 3 * 3 * 36}"
