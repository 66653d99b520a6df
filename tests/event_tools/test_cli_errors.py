"""What a person can mend is one sentence and status 2, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_tools import Events, write
from tests.data import ROOT
from tests.event_tools.command_line import refused
from tests.event_tools.test_datasets import folder, recording


def test_the_installed_command_refuses_in_one_sentence_without_a_traceback() -> None:
    command = [sys.executable, "-c", "from event_tools.cli import main; main()", "info", "absent.bin"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "event-tools: absent.bin: expected a recording, found no such file; check the path\n"


def test_a_wrong_command_line_is_one_sentence(run: Any) -> None:
    assert "no such command 'bogus'; see event-tools --help" in refused(run("bogus"))
    assert "missing argument" in refused(run("show", "--out", "page.html"))


@pytest.mark.parametrize("size", ["34", "34x", "axb", "34X34", "-1x3", "0x5"])
def test_a_sensor_that_is_no_size_is_refused(run: Any, one: Path, size: str) -> None:
    result = run("convert", one, one.with_suffix(".h5"), f"--sensor={size}")
    assert "expected --sensor as WIDTHxHEIGHT, for example 34x34, got" in refused(result)


@pytest.mark.parametrize("shard", ["3/2", "2/2", "-1/2", "1", "a/b", "1/0", "/"])
def test_a_shard_that_is_none_is_refused(run: Any, tmp_path: Path, shard: str) -> None:
    result = run("convert", folder(tmp_path / "set"), tmp_path / "out", "--to", "h5", f"--shard={shard}")
    assert "expected --shard as I/N with I from 0 to N - 1, for example 0/4, got" in refused(result)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(run: Any, tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    one = source / "Train/0/2.bin"
    (tmp_path / "empty.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    np.savez(tmp_path / "bare.npz", frames=np.ones((2, 2, 3, 3)))
    os.mkfifo(tmp_path / "pipe.bin")
    (tmp_path / "nothing").mkdir()
    write(tmp_path / "silent.h5", Events.empty((34, 34)))
    write(tmp_path / "wide.h5", Events([0, 5], [0, 1], [0, 1], [0, 1], (64, 48)))
    before = sorted(tmp_path.rglob("*"))
    out, h5 = tmp_path / "out", tmp_path / "out.h5"
    wrong = [
        (("convert", tmp_path / "absent.bin", h5), "found no such file"),
        (("convert", tmp_path / "pipe.bin", h5), "expected a regular file, got a folder, a pipe or a device"),
        (("convert", source, out), "expected --to with a format or suffix, since it is a folder"),
        (("convert", source, out, "--to", "evt9"), "expected --to to be a format (nmnist, "),
        (("convert", source, out, "--to", "h5", "--overwrite"), "expected --overwrite with a single file only"),
        (("convert", source, source, "--to", "h5"), "expected a folder outside of"),
        (("convert", source, tmp_path / "no/where", "--to", "h5"), "to exist; make it first"),
        (("convert", tmp_path / "*.zap", out, "--to", "h5"), "expected a pattern that some file matches, none does"),
        (("convert", tmp_path / "empty.zip", out, "--to", "h5"), "found none"),
        (("convert", one, one), "it is there already"),
        (("convert", one, one, "--overwrite"), "expected another file to write than the one that is read"),
        (("convert", one, tmp_path / "no/out.h5"), "no to exist; make it first"),
        (("convert", one, tmp_path / "out.evt3"), "expected a suffix that can be written (.aedat, "),
        (("convert", one, h5, "--start-us", 5, "--stop-us", 5), "expected --start-us before --stop-us, got 5 and 5"),
        (("convert", one, h5, "--shard", "0/2"), "expected --shard with many recordings"),
        (("convert", one, h5, "--compression", "lz4"), "expected compression with aedat4"),
        (("convert", one, h5, "--convention", "jaer"), "expected convention with aedat2"),
        (("convert", one, tmp_path / "out.aedat4", "--from", "hdf5"), "HDF5"),
        (("convert", one, h5, "--from", "aedat"), "expected format to be nmnist, "),
        (
            ("convert", one, h5, "--to", "aedat4"),
            "a name that ends in .aedat4 for aedat4; its suffix says hdf5",
        ),
        (("frames", one, tmp_path / "out", "--steps", 2), "expected a name that ends in .npz, got out"),
        (("frames", one, tmp_path / "out.npy", "--steps", 2, "--to", "npz"), "expected a name that ends in .npz"),
        (("unframe", tmp_path / "bare.npz", h5, "--to", "dat"), "expected a name that ends in .dat"),
        (("merge", one, h5, "--to", "dat"), "expected a name that ends in .dat for dat"),
        (("frames", one, tmp_path / "out.npz"), "expected one of --steps, --duration-us and --edges"),
        (("frames", one, tmp_path / "out.npz", "--steps", 2, "--edges", "0,1"), "expected one of --steps"),
        (("frames", one, tmp_path / "out.npz", "--edges", "0,x"), "expected --edges as microseconds"),
        (("frames", one, tmp_path / "out.npz", "--edges", "0,5"), "lie outside"),
        (("frames", one, tmp_path / "out.npz", "--steps", 2, "--by", "size"), "expected --by to be time, count"),
        (("frames", one, tmp_path / "out.h5", "--steps", 2), "expected frames to go into .npz or .npy"),
        (("unframe", tmp_path / "bare.npz", h5), "it has no edges; give --bin-us"),
        (("unframe", tmp_path / "bare.npz", h5, "--placement", "even"), "expected --placement to be uniform"),
        (("unframe", tmp_path / "bare.npz", h5, "--placement", "profile"), "and --profile RECORDINGS together"),
        (("unframe", tmp_path / "bare.npz", h5, "--anchor", "x"), "expected --anchor to be time or count"),
        (("unframe", tmp_path / "bare.npz", h5, "--bin-us", 1 << 62), "expected edges that fit 62 bits"),
        (("unframe", one, h5), "expected the head of a numpy array"),
        (("filter", one, h5, "denois"), "did you mean denoise"),
        (("filter", one, h5, "denoise:windw=1"), "expected a parameter of denoise, got 'windw'"),
        (("cut", one, h5, "--crop", "3x3"), "expected --crop as WIDTHxHEIGHT+LEFT+TOP, for example 28x28+3+3"),
        (("cut", one, h5, "--crop", "40x3+0+0"), "2.bin: expected a window inside 34x34"),
        (("cut", one, out, "--to", "h5", "--every-us", 1, "--every-events", 1), "expected one of --every-events and"),
        (("cut", one, out, "--every-us", 1), "expected --to with a format or suffix"),
        (("merge", one, one.with_name("10.bin"), h5, "--shift-us", "1"), "a number for each of 2 recordings, got 1"),
        (("merge", one, h5, "--shift-us", "x"), "expected --shift-us as microseconds"),
        (("merge", source, tmp_path / "out.bin", "--labelled"), "expected a name that ends in .h5"),
        (("merge", source, source, h5, "--labelled"), "expected --labelled with one folder or archive"),
        (("show", source, "--out", tmp_path / "out.png"), "expected --out to end in .html or .gif"),
        (("show", source, "--out", tmp_path / "out.html", "--palette", "x"), "expected palette to be cyan-pink"),
        (("to-video", source, "--out", tmp_path / "out.xyz"), "expected a film to end in"),
        (("compare", source, tmp_path / "absent"), "expected a recording, found no such file"),
        (("compare", source, tmp_path / "nothing"), "nothing: expected files in it"),
        (("compare", source, tmp_path / "silent.h5"), "silent.h5: expected recordings with events to compare, found"),
        (("compare", source, tmp_path / "wide.h5"), "expected recordings of one sensor, got (34, 34) and (64, 48)"),
        (("compare", source, one, "--floor", tmp_path / "wide.h5"), "expected recordings of one sensor, got (64, 48)"),
    ]
    for arguments, sentence in wrong:
        assert sentence in refused(run(*arguments)), arguments
        assert sorted(tmp_path.rglob("*")) == before, arguments


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_sentence(run: Any, tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    (tmp_path / "locked").mkdir(mode=0o500)
    result = run("convert", source, tmp_path / "locked/out", "--to", "h5")
    assert "permission denied; check the path and its permissions" in refused(result)


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("a/1.bin", "a/2.bin"))
    write(source / "a/2.bin", recording(20_000))
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "from event_tools.cli import main; main()"
    )
    command = [sys.executable, "-c", limited, "convert", str(source), str(tmp_path / "out"), "--to", "aedat4"]
    result = subprocess.run([*command, "--workers", "1"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "a/2.aedat4: it cannot be written, file too large; free space or choose another place" in result.stderr
    assert [path.name for path in (tmp_path / "out/a").iterdir()] == ["1.aedat4"]


def test_a_missing_package_is_named_with_its_pip_line(run: Any, one: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    result = run("convert", one, one.with_suffix(".aedat4"), "--compression", "zstd")
    assert "pip install zstandard" in refused(result)


def test_a_command_or_option_that_does_not_exist_ends_with_status_2(run: Any) -> None:
    for arguments in (("inf",), ("info", "--frmat", "x"), ("show", "one.bin")):
        result = run(*arguments)
        assert (result.status, result.out) == (2, "")
        assert "Traceback" not in result.err
