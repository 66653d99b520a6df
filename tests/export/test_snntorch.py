"""snnTorch's own networks spike as what is read of them, in an interpreter that has snnTorch."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

PYTHON = os.environ.get("NEUROGEN_NIR_PYTHON", "")
SCRIPT = Path(__file__).with_name("snntorch_agreement.py")


@pytest.mark.interop
@pytest.mark.skipif(not PYTHON, reason="NEUROGEN_NIR_PYTHON names no interpreter that has snnTorch")
def test_snntorch_s_networks_spike_as_they_were_read() -> None:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])}
    command = [PYTHON, "-W", "ignore", "-P", str(SCRIPT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results["spikes"]) == 3
    for different, _, rate in results["spikes"].values():
        assert different == 0 and 0.05 < rate < 0.95
    assert results["refused"].startswith("1: subtractive delayed reset")
