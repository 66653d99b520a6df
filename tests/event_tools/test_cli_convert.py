"""`event-tools convert`: single files and sets, what is replaced, what is kept, what a stop leaves."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from event_tools import info, read
from event_tools.datasets import open_recordings
from event_tools.finding import FORMATS
from tests.event_tools.command_line import refused
from tests.event_tools.test_datasets import folder, recording, zipped


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_conversion_takes_back_what_it_half_wrote(
    run: Any, one: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    class Stopped:
        def __init__(self, file: Any, *_: Any) -> None:
            file.write(b"half")
            signal.raise_signal(number)

    monkeypatch.setattr(FORMATS["aedat4"], "open_writer", Stopped)
    before = signal.getsignal(signal.SIGTERM)
    result = run("convert", one, one.with_suffix(".aedat4"))
    assert result.status == 128 + number and "Traceback" not in result.err
    assert list(one.parent.iterdir()) == [one]
    assert signal.getsignal(signal.SIGTERM) is before


def test_convert_writes_a_file_and_says_where(run: Any, one: Path) -> None:
    out = one.with_suffix(".h5")
    result = run("convert", one, out, "--sensor", "40x50", "--start-us", 3, "--stop-us", 20)
    assert (result.status, result.out, result.err) == (0, f"{out}\n", "")
    events = read(out)
    assert (events.sensor_size, events.t.tolist()) == ((40, 50), list(range(3, 20)))
    history = info(out).provenance["history.1"]
    assert str(history).startswith("convert one.bin sensor=40x50 start_us=3 stop_us=20 (event_tools ")


def test_convert_as_json_counts(run: Any, one: Path) -> None:
    out = one.with_suffix(".aedat4")
    assert json.loads(run("convert", one, out, "--json").out) == {"out": str(out), "made": 1, "kept": 0, "events": 29}
    source = folder(one.parent / "set")
    run("convert", source, one.parent / "out", "--to", "h5", "--shard", "1/2", "--workers", 1)
    answer = json.loads(run("convert", source, one.parent / "out", "--to", "hdf5", "--workers", 1, "--json").out)
    assert answer == {"out": str(one.parent / "out"), "made": 3, "kept": 2, "events": 24 + 20 + 22}


def test_convert_does_not_replace_a_file_unless_told_to(run: Any, one: Path) -> None:
    out = one.with_suffix(".h5")
    out.write_bytes(b"mine")
    assert "it is there already; choose another name or give --overwrite" in refused(run("convert", one, out))
    assert out.read_bytes() == b"mine"
    assert run("convert", one, out, "--overwrite").status == 0
    assert read(out) == recording(9)


def test_convert_into_a_folder_that_is_there_takes_the_files_name(run: Any, one: Path) -> None:
    (one.parent / "out").mkdir()
    result = run("convert", one, one.parent / "out", "--to", "h5")
    assert result.out == f"{one.parent / 'out' / 'one.h5'}\n"
    assert read(one.parent / "out" / "one.h5") == recording(9)


@pytest.mark.parametrize("pack", [folder, lambda path: zipped(path.with_suffix(".zip"), folder(path))])
def test_convert_writes_a_set_and_tells_what_was_there(run: Any, tmp_path: Path, pack: Any) -> None:
    source, arguments = pack(tmp_path / "set"), (tmp_path / "out", "--to", "aedat4", "--workers", 1)
    assert run("convert", source, *arguments).err == ""
    assert list(open_recordings(tmp_path / "out")) == list(open_recordings(source))
    result = run("convert", source, *arguments)
    assert (result.status, result.err) == (0, "event-tools: made 0, 5 were there already\n")


def test_a_pattern_does_not_take_what_the_job_wrote_for_a_source(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder(tmp_path / "set", ("1.bin", "2.bin")))
    for pattern in ("*", "**/*.bin"):
        arguments = ("convert", pattern, f"out{len(pattern)}", "--to", "bin", "--sensor", "40x40", "--workers", 1)
        for made in (2, 0):
            assert json.loads(run(*arguments, "--json").out)["made"] == made
        (tmp_path / f"set/out{len(pattern)}").rename(tmp_path / f"out{len(pattern)}")


def test_a_damaged_file_of_a_set_can_be_salvaged_in_a_second_run(run: Any, tmp_path: Path) -> None:
    source, out = folder(tmp_path / "set"), tmp_path / "out"
    (source / "Train/0/2.bin").write_bytes((source / "Train/0/2.bin").read_bytes()[:-1])
    arguments = ("convert", source, out, "--to", "aedat4", "--workers", 1)
    result = run(*arguments)
    assert (result.status, result.out) == (2, "")
    assert [line.partition(": ")[2][:40] for line in result.err.splitlines()] == [
        f"{source}/Train/0/2.bin at byte 95: expected"[:40], f"1 of 5 failed; the others are in {out}"[:40]
    ]  # fmt: skip
    result = run(*arguments, "--salvage")
    assert result.status == 0 and "kept what precedes it" in result.err
    assert len(read(out / "Train/0/2.aedat4")) == 19
