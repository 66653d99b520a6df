"""Sampling from the command line: a data set, whole or not at all."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

import pytest
import torch

from tests.neurogen.commands.answers import Command, refused
from tests.neurogen.tiny import event_model


def test_sampling_a_missing_model_is_one_sentence(run: Command, tmp_path: Path) -> None:
    assert "found nothing" in refused(run("sample", str(tmp_path / "none"), "--out", str(tmp_path / "out")))


def test_a_gpu_that_is_not_there_is_one_sentence(run: Command, model_folder: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    sentence = refused(run("sample", str(model_folder), "--out", str(tmp_path / "out"), "--device", "cuda"))
    assert "cuda" in sentence
    assert not (tmp_path / "out").exists()


def test_an_unknown_label_is_one_sentence(run: Command, model_folder: Path, tmp_path: Path) -> None:
    sentence = refused(run("sample", str(model_folder), "--out", str(tmp_path / "out"), "--label", "zebra"))
    assert "one of a, b, c, got zebra" in sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--count", "0"), "--count"),
        (("--count", "many"), "--count"),
        (("--seed", "99999999999999999999"), "expected a seed from 0 to 2^63 - 1"),
        (("--temperature", "0"), "expected a temperature above 0, got 0.0"),
        (("--top-p", "1.5"), "expected top_p above 0 and at most 1, got 1.5"),
        (("--to", "bin,mp4"), "expected --to to list some of bin,aedat4,hdf5,aedat,gif,html,png,npz, got 'mp4'"),
        (("--device", "gpu"), "expected device to be auto, cpu, cuda, cuda:N or mps, got gpu"),
        (("--colour", "red"), "no such option: --colour"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    run: Command, model_folder: Path, tmp_path: Path, arguments: tuple[str, str], sentence: str
) -> None:
    assert sentence in refused(run("sample", str(model_folder), "--out", str(tmp_path / "out"), *arguments))
    assert not (tmp_path / "out").exists()


def test_sample_writes_a_data_set(run: Command, model_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("sample", str(model_folder), "--out", str(out), "--count", "2", "--label", "b", "--to", "bin,npz")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(out)
    assert sorted(p.name for p in (out / "Train" / "b").iterdir()) == ["00000.bin", "00001.bin"]


def test_labels_that_say_nothing_are_told(run: Command, tmp_path: Path) -> None:
    folder = event_model(classes=0).save(tmp_path / "model")
    result = run("sample", str(folder), "--out", str(tmp_path / "out"), "--count", "1", "--to", "npz")
    assert result.returncode == 0
    assert result.stderr.strip().endswith("those of its samples are drawn by chance and say nothing")


def test_altered_weights_are_one_sentence(run: Command, model_folder: Path, tmp_path: Path) -> None:
    folder = event_model().save(tmp_path / "model")
    with open(folder / "weights.safetensors", "rb+") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    assert "the folder was altered or cut short" in refused(run("sample", str(folder), "--out", str(tmp_path / "out")))
    assert not (tmp_path / "out").exists()


def test_an_output_folder_in_use_is_one_sentence(run: Command, model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    assert "is in use; take another name" in refused(run("sample", str(model_folder), "--out", str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("failure", "status"), [(OSError(errno.ENOSPC, "No space left on device"), 2), (KeyboardInterrupt(), 130)]
)
def test_a_full_disk_and_an_interruption_leave_nothing_behind(
    run: Command,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    status: int,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("neurogen.sampling.save_png", fail)  # after the recordings have been written
    result = run("sample", str(model_folder), "--out", str(tmp_path / "out"), "--count", "2", "--to", "bin,png")
    assert result.returncode == status
    assert "Traceback" not in result.stderr
    assert status != 2 or "no space left on device; free some space" in refused(result)
    assert list(tmp_path.iterdir()) == []


def test_a_terminated_command_takes_back_what_it_half_wrote(
    run: Command, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurogen.sampling.save_png", lambda *_: signal.raise_signal(signal.SIGTERM))
    result = run("sample", str(model_folder), "--out", str(tmp_path / "out"), "--count", "2", "--to", "bin,png")
    assert result.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_samples_depend_on_the_seed_and_not_on_how_many_there_are(
    run: Command, model_folder: Path, tmp_path: Path
) -> None:
    for name, count, seed in (("few", "2", "3"), ("many", "5", "3"), ("other", "2", "4")):
        made = run("sample", str(model_folder), "--out", str(tmp_path / name), "--count", count, "--seed", seed)
        assert made.returncode == 0, made.stderr
    few, many, other = (sorted((tmp_path / name).glob("aedat4/*/0000[01].aedat4")) for name in ("few", "many", "other"))
    assert [path.read_bytes() for path in few] == [path.read_bytes() for path in many]
    assert [path.read_bytes() for path in few] != [path.read_bytes() for path in other]
