"""The command line as a person meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.neurogen.tiny import event_model


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "neurogen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False)


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a refused command; checks status, silence on stdout and the absence of a traceback."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return event_model().save(tmp_path_factory.mktemp("cli") / "model")


def test_help_and_version_import_neither_torch_nor_pydantic() -> None:
    code = (
        "import sys\nfrom neurogen.cli import app\nfrom typer.testing import CliRunner\n"
        "for arguments in (['--help'], ['--version']):\n"
        "    assert CliRunner().invoke(app, arguments).exit_code == 0, arguments\n"
        "print(sorted({'torch', 'pydantic', 'numba', 'h5py', 'matplotlib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_command_has_an_example_in_its_help() -> None:
    from typer.main import get_command

    from neurogen.cli import app

    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        if name != "events":
            assert (command.epilog or "").startswith(f"Example: neurogen {name}"), name


def test_info_counts_parameters_without_data() -> None:
    result = run("info", "tts_vqvae/nmnist", "--json")
    parameters = json.loads(result.stdout)["parameters"]
    assert round(parameters["encoder"] / 1e6, 2) == 29.30
    assert round(parameters["decoder"] / 1e6, 2) == 42.45
    assert round(parameters["codebook"] / 1e6, 2) == 1.05


def test_an_unknown_key_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    result = run("train", "tts_vqvae/digits", "train.bach_size=3", "--out", str(tmp_path / "run"))
    assert "unknown key train.bach_size; did you mean train.batch_size?" in refused(result)
    assert not (tmp_path / "run").exists()


def test_an_unknown_configuration_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    assert "tts_vqvae/digits" in refused(run("train", "tts_vqvae/digit", "--out", str(tmp_path / "run")))


def test_sampling_a_missing_model_is_one_sentence(tmp_path: Path) -> None:
    assert "found nothing" in refused(run("sample", str(tmp_path / "none"), "--out", str(tmp_path / "out")))


def test_a_gpu_that_is_not_there_is_one_sentence(model_folder: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    sentence = refused(run("sample", str(model_folder), "--out", str(tmp_path / "out"), "--device", "cuda"))
    assert "cuda" in sentence
    assert not (tmp_path / "out").exists()


def test_an_unknown_label_is_one_sentence(model_folder: Path, tmp_path: Path) -> None:
    sentence = refused(run("sample", str(model_folder), "--out", str(tmp_path / "out"), "--label", "zebra"))
    assert "one of a, b, c, got zebra" in sentence


def test_sample_writes_a_data_set(model_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("sample", str(model_folder), "--out", str(out), "--count", "2", "--label", "b", "--to", "bin,npz")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(out)
    assert sorted(p.name for p in (out / "Train" / "b").iterdir()) == ["00000.bin", "00001.bin"]


def test_configs_lists_the_published_and_the_small_ones() -> None:
    names = run("configs").stdout.split()
    assert {"tts_vqvae/nmnist", "tts_vqvae/nmnist-small", "prior/nmnist", "tts_vqvae/digits", "prior/digits"} <= set(names)


def test_doctor_answers_in_json() -> None:
    assert json.loads(run("doctor", "--json").stdout)
