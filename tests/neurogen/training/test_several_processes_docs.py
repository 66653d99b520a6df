"""The Slurm script of docs/several-processes.md, as bash reads it, with stand-ins for Slurm's commands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[3] / "docs" / "several-processes.md"
STAND_INS = {
    "srun": 'exec "$@"',
    "scontrol": 'echo "$@" >> "$RECORD"; [ "$1" = show ] && echo localhost; exit 0',
}
STOPS = 'trap "exit 1" TERM; echo started >> "$RECORD"; while true; do sleep 0.05; done'  # as torchrun: 1 for SIGTERM


def slurm_job(folder: Path, torchrun: str) -> subprocess.Popen[str]:
    """The script as Slurm starts it, with `torchrun` being those lines of bash."""
    (script,) = re.findall(r"```bash\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    commands = folder / "commands"
    commands.mkdir()
    for name, lines in (STAND_INS | {"torchrun": torchrun}).items():
        (commands / name).write_text(f"#!/bin/bash\n{lines}\n")
        (commands / name).chmod(0o755)
    (folder / "train.sh").write_text(script)
    slurm = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1", "SLURM_JOB_NUM_NODES": "1", "SLURM_GPUS_ON_NODE": "2"}
    environment = os.environ | slurm | {"RECORD": str(folder / "record"), "PATH": f"{commands}:{os.environ['PATH']}"}
    command = ["bash", str(folder / "train.sh"), str(folder / "config.yaml"), str(folder / "run")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def recorded(folder: Path) -> list[str]:
    path = folder / "record"
    return path.read_text().splitlines() if path.exists() else []


def test_the_script_is_bash(tmp_path: Path) -> None:
    slurm_job(tmp_path, "exit 0").communicate(timeout=60)
    assert subprocess.run(["bash", "-n", str(tmp_path / "train.sh")], check=False).returncode == 0


def test_a_job_that_is_told_to_stop_is_requeued(tmp_path: Path) -> None:
    job = slurm_job(tmp_path, STOPS)
    while "started" not in recorded(tmp_path):
        assert job.poll() is None
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)
    job.communicate(timeout=60)
    assert job.returncode == 0
    assert recorded(tmp_path)[-1] == "requeue 7"


@pytest.mark.parametrize("status", [0, 2])
def test_a_job_that_has_finished_or_failed_is_not_requeued(tmp_path: Path, status: int) -> None:
    job = slurm_job(tmp_path, f"exit {status}")
    job.communicate(timeout=60)
    assert job.returncode == status
    assert not [line for line in recorded(tmp_path) if line.startswith("requeue")]


def test_training_that_was_stopped_by_itself_is_requeued(tmp_path: Path) -> None:
    job = slurm_job(tmp_path, "exit 143")  # without torchrun: neurogen's own status
    job.communicate(timeout=60)
    assert (job.returncode, recorded(tmp_path)[-1]) == (0, "requeue 7")
