"""What `neurogen doctor` says of this machine."""

from __future__ import annotations

import configparser
import json
import os
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from neurogen import doctor
from neurogen.cli import app
from neurogen.neurons import backend


def told(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["doctor", *arguments])
    assert result.exit_code == 0
    return result.stdout


def uses(report: doctor.Report, device: str = "cpu") -> dict[str, doctor.NeuronUse]:
    return {use.kind: use for use in report.neurons if use.device == device}


def test_json_says_what_the_machine_has() -> None:
    found = json.loads(told("--json"))
    assert found["versions"]["torch"] == version("torch")
    assert found["versions"]["spikingjelly"] == version("spikingjelly")
    assert found["cores"] == os.cpu_count()
    assert found["threads"] == torch.get_num_threads()
    assert found["memory_gib"] > 0
    assert "cpu" in found["devices"]
    assert ("cuda:0" in found["devices"]) == torch.cuda.is_available()


def test_json_says_which_backend_each_neuron_uses_and_why_not_the_others() -> None:
    found = json.loads(told("--json"))
    cpu = {use["kind"]: use for use in found["neurons"] if use["device"] == "cpu"}
    assert cpu.keys() == {"lif", "if", "plif", "gate"}
    for kind in ("lif", "if", "gate"):
        assert cpu[kind]["backend"] == "torch"
        assert cpu[kind]["others"]["cupy"] == "it is for cuda"
        assert cpu[kind]["others"]["spikingjelly"] == "torch is faster"
    assert cpu["plif"]["backend"] == "spikingjelly"
    assert cpu["plif"]["operator"] == "torch-reference"
    assert cpu["plif"]["others"]["torch"] == "its time constant is learned"


def test_text_says_the_same_a_line_for_each() -> None:
    lines = told().splitlines()
    lif, plif = (next(line for line in lines if line.startswith(f"neuron {kind} on cpu: ")) for kind in ("lif", "plif"))
    assert lif.startswith("neuron lif on cpu: torch; not ")
    assert "; not cupy: it is for cuda; " in lif
    assert lif.endswith("; not spikingjelly: torch is faster")
    assert plif.startswith(
        "neuron plif on cpu: spikingjelly (torch-reference); not torch: its time constant is learned"
    )
    assert any(line.startswith(f"neurogen {version('neurogen')}, torch {version('torch')}") for line in lines)
    assert any(f"{os.cpu_count()} cores" in line for line in lines)


def test_every_device_has_every_neuron_and_every_backend_a_reason() -> None:
    report = doctor.examine()
    for device in report.devices:
        assert uses(report, device).keys() == {"lif", "if", "plif", "gate"}
    for use in report.neurons:
        assert {use.backend, *use.others} == {*backend.BACKENDS, "spikingjelly"}
        assert all(use.others.values())


def test_a_backend_that_is_not_for_the_device_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend.cpu, "DEVICES", ("tpu",))
    lif = uses(doctor.examine())["lif"]
    assert (lif.backend, lif.operator) == ("spikingjelly", "torch-reference")
    assert lif.others["torch"] == "it is for tpu"


@pytest.mark.parametrize("lacks", [None, "CuPy is not installed (pip install it)"])
def test_it_says_that_backend_cupy_is_ours_and_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, lacks: str | None
) -> None:
    monkeypatch.setattr(doctor.cupy, "missing", lambda: lacks)
    line = f"backend cupy, neurogen's own (SpikingJelly dropped its in 2.0.0): {lacks or 'ready'}"
    assert line in doctor.examine().to_text().splitlines()


@pytest.mark.parametrize(("cuda", "extra"), [("13.0", "cuda13"), ("12.6", "cuda12"), (None, None)])
def test_the_extra_for_cuda_is_the_one_of_torchs_cuda(
    monkeypatch: pytest.MonkeyPatch, cuda: str | None, extra: str | None
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    report = doctor.examine()
    assert [name for name in report.extras if name.startswith("cuda")] == ([extra] if extra else [])
    if extra and report.extras[extra] is None:
        assert f'extra {extra}: absent; pip install "neurogen[{extra}]"' in report.to_text().splitlines()


def test_every_extra_of_neurogens_is_among_those_looked_for() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    others = {"cuda12", "cuda13", "events", "dev"}  # one is chosen by torch's CUDA, the others are not neurogen's
    assert set(setup["options.extras_require"]) - others == set(doctor.EXTRAS)


def test_a_missing_extra_is_named_with_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.EXTRAS, "tonic", "a-package-that-is-not-there")
    report = doctor.examine()
    assert report.extras["tonic"] is None
    assert 'extra tonic: absent; pip install "neurogen[tonic]"' in report.to_text().splitlines()


@pytest.mark.parametrize(("setting", "words"), [("0", "not tuned: NEUROGEN"), ("1", "tuned by the commands")])
def test_it_says_whether_the_allocator_is_tuned(monkeypatch: pytest.MonkeyPatch, setting: str, words: str) -> None:
    monkeypatch.setenv("NEUROGEN_TUNE_ALLOCATOR", setting)
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    assert doctor.examine().allocator.startswith(words)


def test_another_c_library_is_said_not_to_be_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEUROGEN_TUNE_ALLOCATOR", raising=False)
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert doctor.examine().allocator == "not tuned: it is not glibc's"
