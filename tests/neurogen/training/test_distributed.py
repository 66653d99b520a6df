"""Two processes, as torchrun starts them, train one model; alone, nothing of it happens."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from neurogen.config import dump_config
from neurogen.training import train_run
from neurogen.training.distributed import any_process, average_gradients, processes, rank, share_state, world
from neurogen.training.log import read_metrics
from tests.neurogen.training.runs import stage1_config, weights_digest

WORKER = """
import sys
from pathlib import Path
import torch
from torch import nn
from neurogen.codebook.learning import added_up
from neurogen.config import load_config
from neurogen.training import train_run
from neurogen.training.distributed import any_process, average_gradients, processes, rank, world
from neurogen.training.stage1 import StageOneSystem

out, record = Path(sys.argv[2]), {"weights": [], "tables": [], "items": []}
step = StageOneSystem.step

def recorded(self, index, number, log):
    record["tables"].append(self.main.codebook.table.clone())
    figures = step(self, index, number, log)
    record["weights"].append(nn.utils.parameters_to_vector(self.main.parameters()).detach().clone())
    record["items"].append(index)
    return figures

StageOneSystem.step = recorded
with processes(torch.device("cpu")) as device:
    layer = nn.Linear(2, 1, bias=False)
    layer(torch.tensor([[1.0, 0.0], [0.0, 2.0]])[rank()]).sum().backward()
    average_gradients(layer)
    record |= {"gradient": layer.weight.grad, "sum": added_up(torch.tensor(1.0 + rank()))}
    record |= {"one": any_process(rank() == 1, device), "none": any_process(False, device), "world": world()}
    number = rank()
    train_run(load_config(sys.argv[1]), out)
torch.save(record, out.with_name(f"rank{number}.pt"))
"""


@pytest.fixture(scope="module")
def together(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]]]:
    """The run that two processes trained, and what each of them saw."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "config.yaml").write_text(dump_config(stage1_config(recordings)))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", WORKER, str(folder / "config.yaml"), str(folder / "run")]
    shared = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    shared |= {"OMP_NUM_THREADS": "1", "NEUROGEN_CACHE": str(folder / "cache")}
    started = [
        subprocess.Popen(command, env=shared | {"RANK": i, "LOCAL_RANK": i}, stderr=subprocess.PIPE, text=True)
        for i in "01"
    ]
    for process in started:
        talk = process.communicate(timeout=300)[1]
        assert process.returncode == 0, talk
    return folder / "run", [torch.load(folder / f"rank{i}.pt", weights_only=True) for i in range(2)]


def test_gradients_are_averaged_and_totals_added(together: tuple[Path, list[dict[str, object]]]) -> None:
    for seen in together[1]:
        assert seen["gradient"].tolist() == [[0.5, 1.0]]  # the mean of (1, 0) and (0, 2)
        assert seen["sum"].item() == 3.0
        assert (seen["one"], seen["none"], seen["world"]) == (True, False, 2)


def test_both_processes_keep_equal_weights_and_codebooks(together: tuple[Path, list[dict[str, object]]]) -> None:
    one, two = together[1]
    assert len(one["weights"]) == 8
    for kind in ("weights", "tables"):
        assert all(torch.equal(a, b) for a, b in zip(one[kind], two[kind], strict=True)), kind
    assert not torch.equal(one["weights"][0], one["weights"][-1])


def test_each_process_learns_from_items_of_its_own(together: tuple[Path, list[dict[str, object]]]) -> None:
    one, two = together[1]
    for a, b in zip(one["items"], two["items"], strict=True):
        assert len(a) == len(b) == 4
        assert not set(a.tolist()) & set(b.tolist())


def test_one_process_writes_the_run(together: tuple[Path, list[dict[str, object]]]) -> None:
    run = together[0]
    assert [row["step"] for row in read_metrics(run / "metrics.csv") if "total" in row] == [2, 4, 6, 8]
    assert [path.name for path in run.rglob("*.safetensors")] == ["weights.safetensors"]


def test_alone_every_exchange_does_nothing() -> None:
    layer = nn.Linear(2, 1, bias=False)
    layer(torch.ones(2)).sum().backward()
    average_gradients(layer)
    share_state(layer.parameters())
    assert layer.weight.grad.tolist() == [[1.0, 1.0]]
    with processes(torch.device("cpu")) as device:
        assert (rank(), world(), any_process(True, device), any_process(False, device)) == (0, 1, True, False)


def test_one_process_under_torchrun_is_the_plain_run(
    finished: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    out = train_run(stage1_config(recordings), tmp_path / "run")
    assert weights_digest(out) == weights_digest(finished)
