"""The command line as a person meets it: help, lists, wrong words."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurogen import cli
from tests.neurogen.commands.answers import Command, refused


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

    def commands(group: object, prefix: str) -> Iterator[tuple[str, str]]:
        for name, command in group.commands.items():  # type: ignore[attr-defined]
            if hasattr(command, "commands"):
                yield from commands(command, f"{prefix} {name}")
            else:
                yield f"{prefix} {name}", command.epilog or ""

    found = dict(commands(get_command(cli.app), "neurogen"))
    assert len(found) > 10
    for name, epilog in found.items():
        assert epilog.startswith("Example: "), name
        assert name.split()[-1] in epilog, name


def test_info_counts_parameters_without_data(run: Command) -> None:
    result = run("info", "tts_vqvae/nmnist", "--json")
    parameters = json.loads(result.stdout)["parameters"]
    assert round(parameters["encoder"] / 1e6, 2) == 29.30
    assert round(parameters["decoder"] / 1e6, 2) == 42.45
    assert round(parameters["codebook"] / 1e6, 2) == 1.05


def test_a_trained_model_takes_no_settings(run: Command, model_folder: Path) -> None:
    assert "got train.steps=3; leave them out" in refused(run("info", str(model_folder), "train.steps=3"))


def test_a_wrong_command_is_one_sentence(run: Command) -> None:
    assert "no such command 'trian'" in refused(run("trian"))
    assert "see neurogen train --help" in refused(run("train"))


def test_configs_lists_the_published_and_the_small_ones(run: Command) -> None:
    names = run("configs").stdout.split()
    assert {"tts_vqvae/nmnist", "tts_vqvae/nmnist-small", "prior/nmnist", "tts_vqvae/digits", "prior/digits"} <= set(
        names
    )


def test_doctor_answers_in_json(run: Command) -> None:
    assert json.loads(run("doctor", "--json").stdout)


def test_python_m_neurogen_is_the_same_program() -> None:
    command = [sys.executable, "-m", "neurogen", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("neurogen 0")


def test_warnings_are_plain_sentences(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from train import config_names

    def warned() -> list[str]:
        warnings.warn("something is odd", stacklevel=1)
        return config_names()

    monkeypatch.setattr("train.config_names", warned)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert run("configs").stderr == "neurogen: something is odd\n"
