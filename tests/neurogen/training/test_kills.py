"""Fifty kills in the middle of writing checkpoints: none leaves one that cannot be loaded."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

WRITER = """
import sys, torch
from pathlib import Path
from neurogen.training.checkpoint import load_newest, save_checkpoint
run = Path(sys.argv[1])
state = load_newest(run, torch.device("cpu"))
step = 0 if state is None else state["step"]
print("ready", flush=True)
while True:
    step += 1
    save_checkpoint(run, step, {"weights": torch.full((1 << 20,), float(step))}, keep=2)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_fifty_kills_leave_only_checkpoints_that_load(tmp_path: Path) -> None:
    rng, last = random.Random(0), 0
    for _ in range(50):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.08))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for path in (tmp_path / "checkpoints").glob("step_*.pt"):
            state = torch.load(path, weights_only=True)
            assert (state["weights"] == state["step"]).all()
            last = max(last, state["step"])
    assert last > 10
