"""Kills in the middle of writing checkpoints: none leaves one that cannot be loaded, and the run ends unharmed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from neurogen.config import dump_config
from neurogen.training import train_run
from tests.neurogen.training.runs import stage1_config, weights_digest

# One process imports torch and forks the trainers, so that a kill costs milliseconds. It waits until a trainer's
# checkpoint is being written, kills it there, and loads everything the trainer left.
KILLER = """
import json, os, random, signal, sys, time, warnings
from pathlib import Path
import torch
from neurogen.config import load_config
from neurogen.training import train_run
from neurogen.training.checkpoint import FOLDER, load_newest
from neurogen.training.stage1 import StageOneSystem  # what a trainer would import after the fork

run, config, kills = Path(sys.argv[1]), load_config(sys.argv[2]), int(sys.argv[3])
rng, folder, wounded, newest = random.Random(0), run / FOLDER, 0, 0
torch.set_num_threads(1)
warnings.simplefilter("error")  # load_newest warns of a checkpoint that it cannot read
for _ in range(kills):
    known = set(folder.glob(".*.partial"))
    child = os.fork()
    if not child:
        train_run(config, run, resume=True)
        os._exit(0)
    while not set(folder.glob(".*.partial")) - known and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.0002)
    time.sleep(rng.choice((0.0, 0.0005, 0.002, 0.01)))
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    wounded += bool(set(folder.glob(".*.partial")) - known)
    for path in folder.glob("step_*.pt"):
        torch.load(path, weights_only=True)
    state = load_newest(run, torch.device("cpu"))
    step = 0 if state is None else state["step"]
    assert step >= newest, "a kill lost steps that were saved"
    newest = step
print(json.dumps({"wounded": wounded, "newest": newest}))
"""


@pytest.mark.parametrize(
    "kills", [pytest.param(4, id="4 kills"), pytest.param(50, id="50 kills", marks=pytest.mark.slow)]
)
def test_a_run_killed_while_it_writes_checkpoints_loses_nothing(recordings: Path, tmp_path: Path, kills: int) -> None:
    # A kill lets at most three checkpoints pass (0.01 s), so that the run outlasts them all.
    config = stage1_config(recordings, steps=4 * kills + 8, checkpoint_every=1)
    whole = train_run(config, tmp_path / "whole")
    (tmp_path / "config.yaml").write_text(dump_config(config))
    command = [sys.executable, "-c", KILLER, str(tmp_path / "killed"), str(tmp_path / "config.yaml"), str(kills)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    seen = json.loads(result.stdout)
    assert seen["wounded"] > 0, "no kill fell into the writing of a checkpoint"
    train_run(config, tmp_path / "killed", resume=True)
    assert weights_digest(tmp_path / "killed") == weights_digest(whole)
    assert not list((tmp_path / "killed").rglob(".*.partial"))
