"""torchrun itself: training that is stopped and goes on, samples, and processes that die. Minutes on a busy machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from neurogen.config import Config, dump_config
from neurogen.model import load
from tests.neurogen.data.image_sets import mnist
from tests.neurogen.systems import small_config
from tests.neurogen.training.runs import prior_run_config, stage1_config
from tests.neurogen.training.test_several_processes_docs import recorded, slurm_job
from tests.neurogen.training.together import CLOSE, both, folder_bytes, run_two

pytestmark = pytest.mark.slow
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
NAMES = ("gated-in-parts", "means", "prior-in-parts", "spikes")


def torchrun(*arguments: str) -> subprocess.Popen[str]:
    """Two processes of `neurogen` with these arguments."""
    command = [*TORCHRUN, "--standalone", "--nproc-per-node", "2", "-m", "neurogen", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    talk = process.communicate(timeout=600)[0]
    assert process.returncode == 0, talk


def wait_for_steps(run: Path, process: subprocess.Popen[str]) -> None:
    """Until a row of figures is there."""
    rows = run / "metrics.csv"
    while not rows.exists() or len(rows.read_text().splitlines()) < 2:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


@pytest.mark.parametrize("system", ["first stage", "prior"])
def test_a_run_of_two_processes_that_is_stopped_goes_on_bitwise(
    recordings: Path, finished: Path, tmp_path: Path, system: str
) -> None:
    often = {"steps": 120, "log_every": 1, "checkpoint_every": 1000, "checkpoint_seconds": 1e9}
    config = stage1_config(recordings, **often) if system == "first stage" else prior_run_config(finished, **often)
    (tmp_path / "config.yaml").write_text(dump_config(config))
    command = ["train", str(tmp_path / "config.yaml"), "--out"]
    finish(torchrun(*command, str(tmp_path / "whole")))
    stopped = torchrun(*command, str(tmp_path / "cut"))
    wait_for_steps(tmp_path / "cut", stopped)
    stopped.send_signal(signal.SIGTERM)
    talk = stopped.communicate(timeout=120)[0]
    steps = int(re.findall(r"stopped after (\d+) steps; go on with --resume", talk)[0])
    assert 0 < steps < 120 and stopped.returncode != 0
    assert [path.name for path in (tmp_path / "cut" / "checkpoints").iterdir()] == [f"step_{steps:08d}.pt"]
    finish(torchrun(*command, str(tmp_path / "cut"), "--resume"))
    whole, cut = (
        {name: data for name, data in folder_bytes(tmp_path / name).items() if not name.startswith("checkpoints")}
        for name in ("whole", "cut")
    )
    assert whole == cut
    ends = [
        torch.load(tmp_path / name / "checkpoints" / "step_00000120.pt", weights_only=True) for name in ("whole", "cut")
    ]
    assert ends[0]["processes"] == ends[1]["processes"] == 2


@pytest.mark.parametrize("system", ["fsvae", "fsvae-rate", "sae", "swgan", "sgad"])
def test_two_processes_train_every_system_of_one_network(tmp_path: Path, system: str) -> None:
    (tmp_path / "config.yaml").write_text(dump_config(small_config(system, mnist(tmp_path / "images", 40))))
    finish(torchrun("train", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "run")))  # weights must stay equal
    assert load(tmp_path / "run").generates
    assert torch.load(tmp_path / "run" / "checkpoints" / "step_00000004.pt", weights_only=True)["processes"] == 2


def test_two_processes_sample_the_same_folder(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(dump_config(prior_run_config(finished, steps=1)))
    finish(torchrun("train", str(tmp_path / "config.yaml"), "--out", str(tmp_path / "prior")))
    command = ["sample", str(tmp_path / "prior"), "--count", "70", "--unfold", "--out"]
    finish(torchrun(*command, str(tmp_path / "two")))
    subprocess.run([sys.executable, "-m", "neurogen", *command, str(tmp_path / "one")], check=True)
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")


def test_two_processes_reconstruct_the_same_folder(finished: Path, tmp_path: Path) -> None:
    command = ["reconstruct", str(finished), "--count", "12", "--json", "--out"]
    together = torchrun(*command, str(tmp_path / "two"))
    said = together.communicate(timeout=600)[0]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # as torchrun sets it
    single = [sys.executable, "-m", "neurogen", *command, str(tmp_path / "one")]
    alone = subprocess.run(single, check=True, capture_output=True, text=True, env=one_thread)
    assert alone.stdout in said
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")


@pytest.mark.parametrize("how", ["dies", "is killed", "loss"])
def test_where_one_process_is_lost_the_other_ends_with_a_sentence(recordings: Path, tmp_path: Path, how: str) -> None:
    (tmp_path / "config.yaml").write_text(dump_config(stage1_config(recordings)))
    started = time.monotonic()
    lost, other = run_two(
        "tests.neurogen.training.losing", [str(tmp_path / "config.yaml"), str(tmp_path / "run"), how]
    )[::-1]
    assert lost.returncode == {"dies": 3, "is killed": -signal.SIGKILL, "loss": 2}[how]
    assert other.returncode == 2 and "Traceback" not in other.stderr
    assert "neurogen: expected 2 processes to the end, process 0 lost another one" in other.stderr
    assert other.stderr.rstrip().endswith("go on with --resume")
    if how == "loss":
        assert lost.stderr.rstrip().endswith("the loss became nan at step 4; lower train.lr or clip with train.clip")
    assert time.monotonic() - started < 120


def test_what_the_first_process_refuses_is_said_once(finished: Path, recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(dump_config(stage1_config(recordings)))
    first, second = run_two("neurogen", ["train", str(tmp_path / "config.yaml"), "--out", str(finished)])
    assert (first.returncode, second.returncode, second.stderr) == (2, 2, "")
    assert re.fullmatch(r"neurogen: expected --out to be a new run, .* add --resume .*\n", first.stderr)


def test_a_job_of_two_processes_saves_and_is_requeued(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(dump_config(stage1_config(recordings, steps=3000, log_every=1)))
    arguments = '"${@: -7}"'  # -m neurogen train CONFIG --out RUN --resume
    job = slurm_job(tmp_path, f"exec {' '.join(TORCHRUN)} --standalone --nproc-per-node 2 {arguments}")
    wait_for_steps(tmp_path / "run", job)
    job.send_signal(signal.SIGTERM)
    talk = job.communicate(timeout=120)[0]
    assert job.returncode == 0 and recorded(tmp_path)[-1] == "requeue 7", talk
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert torch.load(checkpoint, weights_only=True)["processes"] == 2


@pytest.fixture(scope="module")
def more(configs: dict[str, Config], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("more")
    for name in NAMES:
        (folder / f"{name}.yaml").write_text(dump_config(configs[name]))
    for process in run_two("tests.neurogen.training.together", [str(folder)]):
        assert process.returncode == 0, process.stderr
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_more_trainings_of_two_processes_are_those_of_one(
    alone: Callable[[str], Any],
    more: Path,
    name: str,
) -> None:
    one, run = alone(name)
    for seen in both(more, name):
        for kind in ("weights", "buffers"):
            for a, b in zip(one[kind], seen[kind], strict=True):
                torch.testing.assert_close(b, a, rtol=0, atol=CLOSE)
    assert (more / name / "metrics.csv").read_text() == (run / "metrics.csv").read_text()
