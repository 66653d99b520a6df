"""Two processes, as torchrun starts them, do what one does; alone, nothing of it happens."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from neurogen.config import Config, dump_config
from neurogen.processes import all_parts, all_rows, averaged, chosen_rows, own_parts, shared_mean, summed
from neurogen.training import TrainingError, train_run
from neurogen.training.distributed import any_process, average_gradients, leader_first, processes, rank, world
from neurogen.training.log import read_metrics
from tests.neurogen.training.runs import stage1_config, weights_digest
from tests.neurogen.training.together import (
    CLOSE,
    both,
    draw_samples,
    folder_bytes,
    run_two,
    shared_norm,
    shared_step_norm,
    tables,
)

NAMES = ("spiking", "on-grid", "gated", "means-in-parts", "prior")


@pytest.fixture(scope="module")
def pair(configs: dict[str, Config], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes recorded."""
    folder = tmp_path_factory.mktemp("two")
    for name in NAMES:
        (folder / f"{name}.yaml").write_text(dump_config(configs[name]))
    for process in run_two("tests.neurogen.training.together", [str(folder)]):
        assert process.returncode == 0, process.stderr
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_as_one_does(alone: Callable[[str], Any], pair: Path, name: str) -> None:
    one, run = alone(name)
    two = both(pair, name)
    for kind in ("weights", "buffers"):
        assert all(torch.equal(a, b) for a, b in zip(two[0][kind], two[1][kind], strict=True)), kind
        for a, b in zip(one[kind], two[0][kind], strict=True):
            torch.testing.assert_close(b, a, rtol=0, atol=CLOSE)
    assert not torch.equal(one["weights"][0], one["weights"][-1])
    assert (pair / name / "metrics.csv").read_text() == (run / "metrics.csv").read_text()  # to six digits


@pytest.mark.parametrize("name", ["means", "prior"])
def test_a_batch_in_parts_teaches_what_the_whole_one_does(alone: Callable[[str], Any], name: str) -> None:
    whole, parts = alone(name)[0], alone(f"{name}-in-parts")[0]
    for kind in ("weights", "buffers"):
        for a, b in zip(whole[kind], parts[kind], strict=True):
            torch.testing.assert_close(b, a, rtol=0, atol=CLOSE)


def test_each_process_learns_from_items_of_its_own(pair: Path) -> None:
    one, two = both(pair, "spiking")
    for a, b in zip(one["items"], two["items"], strict=True):
        assert len(a) == len(b) == 4
        assert not set(a.tolist()) & set(b.tolist())


def test_batch_norm_over_two_processes_is_that_over_the_whole_batch(pair: Path) -> None:
    norms = {"norm": shared_norm(), "tdBN": shared_norm(threshold=True), "step norm": shared_step_norm()}
    for kind, expected in norms.items():
        for seen in both(pair, "exchanges"):
            for name, value in expected.items():
                torch.testing.assert_close(seen[kind][name], value, rtol=1e-12, atol=1e-12, msg=name)


def test_codebooks_of_every_kind_learn_from_the_whole_batch(pair: Path) -> None:
    expected = tables()
    for seen in both(pair, "exchanges"):
        for kind, table in expected.items():
            torch.testing.assert_close(seen["tables"][kind], table, rtol=0, atol=1e-12, msg=kind)


def test_every_exchange_gives_both_the_same(pair: Path) -> None:
    for seen in both(pair, "exchanges"):
        assert seen["flags"] == (True, False)
        assert seen["rows"].tolist() == [[10.0, 11.0], [0.0, 1.0], [6.0, 7.0], [6.0, 7.0]]
        assert seen["rows in blocks"].tolist() == [[0.0, 1.0], [6.0, 7.0], [2.0, 3.0], [8.0, 9.0]]
        assert seen["gradient"].item() == 5.0  # 2 * 5 / 2, the mean of two gradients that agree
        assert seen["parts"].tolist() == [0, 1, 1, 2, 2, 2]
        assert seen["leader"] is True


def test_samples_and_codes_do_not_depend_on_the_number_of_processes(
    alone: Callable[[str], Any], pair: Path, tmp_path: Path
) -> None:
    draw_samples(tmp_path / "samples")
    assert folder_bytes(pair / "samples") == folder_bytes(tmp_path / "samples")
    (codes,) = alone("prior")[1].glob("codes-*.npz")
    assert (pair / "prior" / codes.name).read_bytes() == codes.read_bytes()


def test_one_process_writes_the_run(pair: Path) -> None:
    run = pair / "spiking"
    assert [row["step"] for row in read_metrics(run / "metrics.csv") if "nll" in row] == [2, 4, 6]
    assert [path.name for path in run.rglob("*.safetensors")] == ["weights.safetensors"]
    assert not list(pair.rglob("*.partial"))


def test_alone_every_exchange_does_nothing() -> None:
    layer, rows = nn.Linear(2, 1, bias=False), torch.arange(6.0).view(3, 2)
    layer(torch.ones(2)).sum().backward()
    average_gradients(layer)
    assert layer.weight.grad is not None and layer.weight.grad.tolist() == [[1.0, 1.0]]
    for exchange in (summed, averaged, all_rows, shared_mean):
        assert torch.equal(exchange(rows.clone()), rows)
    assert chosen_rows(rows, torch.tensor([2, 0])).tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert list(own_parts(3)) == [0, 1, 2] and all_parts([rows], 1)[0] is rows
    with processes(torch.device("cpu")) as device, leader_first():
        assert (rank(), world(), any_process(True, False), device.type) == (0, 1, (True, False), "cpu")


def test_one_process_under_torchrun_is_the_plain_run(
    finished: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    out = train_run(stage1_config(recordings), tmp_path / "run")
    assert weights_digest(out) == weights_digest(finished)


def test_a_run_goes_on_with_as_many_processes_as_it_began_with(
    finished: Path, recordings: Path, tmp_path: Path
) -> None:
    out = train_run(stage1_config(recordings, steps=3), tmp_path / "run")
    (checkpoint,) = (out / "checkpoints").iterdir()
    torch.save(torch.load(checkpoint, weights_only=True) | {"processes": 2}, checkpoint)
    with pytest.raises(TrainingError, match=r"expected the 2 processes that .* began with, got 1.*; start as many"):
        train_run(stage1_config(recordings, steps=8), out, resume=True)


def test_a_batch_that_does_not_divide_into_parts_leaves_no_run(recordings: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"divide into train\.accumulate=3 parts, got 8; take a multiple of 3$"):
        train_run(stage1_config(recordings, accumulate=3), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"WORLD_SIZE": "2"}, r"RANK is not set; start with torchrun"),
        ({"WORLD_SIZE": "two"}, r"WORLD_SIZE is two"),
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_PORT": "1"}, r"expected torchrun's MASTER_ADDR .* not set"),
        ({"WORLD_SIZE": "2", "RANK": "2", "MASTER_PORT": "1", "MASTER_ADDR": "a"}, r"RANK below WORLD_SIZE=2, got 2"),
    ],
)
def test_half_of_an_environment_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], sentence: str
) -> None:
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError, match=sentence), processes(torch.device("cpu")):
        pass


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("cuda", r"expected a GPU for each of 9 processes on this machine, it has \d; start \d or set device=cpu"),
        ("cuda:0", r"expected device=auto, cuda or cpu for several processes, got cuda:0"),
        ("mps", r"expected device=auto, cuda or cpu for several processes, got mps"),
    ],
)
def test_a_device_that_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch, device: str, sentence: str) -> None:
    for name, value in (("WORLD_SIZE", "9"), ("RANK", "8"), ("MASTER_ADDR", "localhost"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOCAL_RANK", "8")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "9")
    with pytest.raises(TrainingError, match=sentence), processes(torch.device(device)):
        pass


def test_a_port_in_use_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for name, value in (("WORLD_SIZE", "2"), ("RANK", "0"), ("MASTER_ADDR", "localhost"), ("MASTER_PORT", port)):
            monkeypatch.setenv(name, value)
        sentence = rf"at localhost:{port} .* the port is in use"
        with pytest.raises(TrainingError, match=sentence), processes(torch.device("cpu")):
            pass
