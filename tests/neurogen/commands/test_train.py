"""Training from the command line: what a run says, and what is refused before it begins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.data import ROOT
from tests.neurogen.commands.answers import Answer, Command, refused
from tests.neurogen.training.runs import make_recordings


def test_train_says_where_the_run_is_and_resuming_it_ends_well(run: Command, config_file: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    first = run("train", str(config_file), "--out", out)
    assert (first.returncode, first.stdout.strip()) == (0, out)
    again = run("train", str(config_file), "--out", out, "--resume")
    assert (again.returncode, again.stdout.strip()) == (0, out)
    assert "is finished" in again.stderr
    assert "add --resume" in refused(run("train", str(config_file), "--out", out))


def test_a_rank_without_other_processes_changes_nothing(
    run: Command, config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")  # of some other program
    answer = run("train", str(config_file), "train.steps=1", "--out", str(tmp_path / "run"))
    assert (answer.returncode, answer.stdout.strip()) == (0, str(tmp_path / "run"))


def test_the_prior_takes_a_run_and_its_own_run_is_sampled(run: Command, config_file: Path, tmp_path: Path) -> None:
    first, second, out = (str(tmp_path / name) for name in ("first", "second", "out"))
    assert run("train", str(config_file), "--out", first).returncode == 0
    sizes = ("model.codes=32", "model.height=4", "model.width=4", "model.classes=3", "model.dim=16", "model.layers=1")
    more = ("model.heads=2", "train.steps=2", "train.batch_size=8", "train.threads=1", "train.tune_allocator=false")
    trained = run("train", "prior/digits", f"first_stage={first}", *sizes, *more, "shift=0", "--out", second)
    assert trained.returncode == 0, trained.stderr
    assert run("sample", second, "--count", "2", "--out", out, "--to", "bin").returncode == 0
    assert len(list(Path(out).glob("Train/*/*.bin"))) == 2
    assert "a first stage alone" in refused(run("sample", first, "--out", str(tmp_path / "none")))
    assert "system was tts_vqvae and is now prior" in refused(
        run("train", "prior/digits", f"first_stage={first}", "--out", first, "--resume")
    )


def test_reconstruct_and_plot_and_info_answer(run: Command, config_file: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    assert run("train", str(config_file), "--out", out).returncode == 0
    figures = json.loads(run("reconstruct", out, "--count", "3", "--out", str(tmp_path / "back"), "--json").stdout)
    assert figures["items"] == 3
    assert figures["mse"] > 0
    assert len(list((tmp_path / "back").glob("Test/*/*.bin"))) == 3
    assert all(Path(line).is_file() for line in run("plot", out).stdout.split())
    assert json.loads(run("info", out, "--json").stdout)["parameters"]["prior"] == 0


@pytest.mark.parametrize("script", ["stage1.py", "prior.py"])
def test_the_scripts_are_the_train_command(script: str) -> None:
    command = [sys.executable, str(ROOT / "train" / script), "tts_vqvae/digits", "train.bach_size=3"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    answer = Answer(result.returncode, result.stdout, result.stderr)
    assert "unknown key train.bach_size; did you mean train.batch_size?" in refused(answer)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("train.steps=many", "train.steps: expected a whole number, got 'many'"),
        ("data.resolution=18", "data.resolution=18 cannot be halved 2 times; take a multiple of 4"),
        ("train.batch_size=64", "expected train.batch_size up to the 26 training items, got 64; lower it"),
        ("device=mps", "this machine has no Apple GPU; set device=auto or device=cpu"),
        ("device=cuda:99", "expected cuda:99, this machine has"),
        ("data.path=/nowhere", "/nowhere"),
        ("train.init_from=/nowhere", "expected a run or model folder at /nowhere, found nothing"),
        ("train.lr=1e30", "lower train.lr or clip with train.clip"),
        ("notanoverride", "expected section.key=value, got 'notanoverride'"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(
    run: Command, config_file: Path, tmp_path: Path, setting: str, sentence: str
) -> None:
    if setting == "device=mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has an Apple GPU")
    out = tmp_path / "run"
    assert sentence in refused(run("train", str(config_file), setting, "--out", str(out)))
    assert not (out / "model").exists()
    if not setting.startswith("train.lr"):
        assert not out.exists()


def test_the_digits_give_way_to_recordings_of_ones_own(run: Command, tmp_path: Path) -> None:
    command = ("train", "tts_vqvae/digits", "data.path=/nowhere", "train.tune_allocator=false")
    assert "expected data at data.path=/nowhere" in refused(run(*command, "--out", str(tmp_path / "run")))


def test_a_recording_cut_short_is_named_and_leaves_no_run(run: Command, config_file: Path, tmp_path: Path) -> None:
    data = make_recordings(tmp_path / "data")
    whole = data / "Train" / "1" / "00003.bin"
    whole.write_bytes(whole.read_bytes()[:-2])
    out = tmp_path / "run"
    assert "00003.bin" in refused(run("train", str(config_file), f"data.path={data}", "--out", str(out)))
    assert not out.exists()


def test_an_unknown_key_is_answered_with_the_nearest_one(run: Command, tmp_path: Path) -> None:
    result = run("train", "tts_vqvae/digits", "train.bach_size=3", "--out", str(tmp_path / "run"))
    assert "unknown key train.bach_size; did you mean train.batch_size?" in refused(result)
    assert not (tmp_path / "run").exists()


def test_an_unknown_configuration_is_answered_with_the_nearest_one(run: Command, tmp_path: Path) -> None:
    assert "tts_vqvae/digits" in refused(run("train", "tts_vqvae/digit", "--out", str(tmp_path / "run")))
