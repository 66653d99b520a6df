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

# One process imports torch and forks what it kills, so that a kill costs little. It lets a child save none to two
# checkpoints, kills it while it writes the next one, and loads everything that is left.
KILLER = """
import json, os, random, signal, sys, time, warnings
from pathlib import Path
import torch
from neurogen.config import load_config
from neurogen.training import train_run
from neurogen.training.checkpoint import FOLDER, load_newest, save_checkpoint
from neurogen.training.stage1 import StageOneSystem  # what a trainer would import after the fork

run, kills, config = Path(sys.argv[1]), int(sys.argv[2]), load_config(sys.argv[3]) if sys.argv[3:] else None
rng, folder, wounded, newest = random.Random(0), run / FOLDER, 0, 0
torch.set_num_threads(1)
warnings.simplefilter("error")  # load_newest warns of a checkpoint that it cannot read

def work(step):
    if config is not None:
        train_run(config, run, resume=True)
    else:
        while True:
            step += 1
            save_checkpoint(run, step, {"weights": torch.full((1 << 20,), float(step))}, keep=2)

def writing():
    saved = max((int(path.stem[5:]) for path in folder.glob("step_*.pt")), default=0)
    return saved >= wanted and set(folder.glob(".*.partial")) - known

for _ in range(kills):
    known, wanted = set(folder.glob(".*.partial")), newest + rng.randrange(3)
    child = os.fork()
    if not child:
        work(newest)
        os._exit(0)
    while not writing() and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.0002)
    time.sleep(rng.choice((0.0, 0.0005, 0.002, 0.01)))
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    wounded += bool(set(folder.glob(".*.partial")) - known)
    for path in folder.glob("step_*.pt"):
        state = torch.load(path, weights_only=True)
        assert config is not None or (state["weights"] == state["step"]).all()
    state = load_newest(run)
    step = 0 if state is None else state["step"]
    assert step >= newest, "a kill lost steps that were saved"
    newest = step
print(json.dumps({"wounded": wounded, "newest": newest}))
"""


def killed(run: Path, kills: int, *config: str) -> dict[str, int]:
    """How many kills left a checkpoint half-written, and the newest whole one, after so many kills."""
    command = [sys.executable, "-c", KILLER, str(run), str(kills), *config]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    seen: dict[str, int] = json.loads(result.stdout)
    return seen


def test_fifty_kills_leave_only_checkpoints_that_load(tmp_path: Path) -> None:
    seen = killed(tmp_path, 50)
    assert seen["wounded"] > 10, "few kills fell into the writing of a checkpoint"
    assert seen["newest"] > 10


@pytest.mark.parametrize(
    "kills", [pytest.param(3, id="3 kills"), pytest.param(50, id="50 kills", marks=pytest.mark.slow)]
)
def test_a_run_killed_while_it_writes_checkpoints_ends_as_if_unharmed(
    recordings: Path, tmp_path: Path, kills: int
) -> None:
    # A kill comes after at most two checkpoints and the few of its last 0.01 s, so that the run outlasts them all.
    config = stage1_config(recordings, steps=6 * kills + 8, checkpoint_every=1)
    whole = train_run(config, tmp_path / "whole")
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert killed(tmp_path / "killed", kills, str(tmp_path / "config.yaml"))["newest"] > 0
    train_run(config, tmp_path / "killed", resume=True)
    assert weights_digest(tmp_path / "killed") == weights_digest(whole)
    assert not list((tmp_path / "killed").rglob(".*.partial"))
