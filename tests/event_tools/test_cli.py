"""The event-tools command as a person meets it: answers on stdout, one sentence and status 2 for what can be mended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from event_tools import info, read, write
from event_tools.cli import app, main
from event_tools.datasets import open_recordings
from tests.event_tools.test_datasets import folder, recording, zipped

COMMANDS = ("info", "convert", "show", "compare")


class Result:
    """Status and text of a command that ran in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[Any, ...]):
        monkeypatch.setattr(sys, "argv", ["event-tools", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        self.status = stop.value.code or 0
        self.out, self.err = capsys.readouterr()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda *arguments: Result(capsys, monkeypatch, arguments)


def refused(result: Result) -> str:
    """The one sentence of a refused command."""
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("event-tools: ") and result.err.count("\n") == 1
    return result.err


def test_every_command_has_an_example_in_its_help(run: Any) -> None:
    assert {command.callback.__name__ for command in app.registered_commands} == set(COMMANDS)
    for command in COMMANDS:
        result = run(command, "--help")
        assert result.status == 0
        assert f"Example: event-tools {command} " in result.out
    assert "Example: event-tools info" in run("--help").out


def test_the_installed_command_refuses_in_one_sentence_without_a_traceback() -> None:
    command = [sys.executable, "-c", "from event_tools.cli import main; main()", "info", "absent.bin"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "event-tools: absent.bin: expected a recording, found no such file; check the path\n"


def test_a_wrong_command_line_is_one_sentence(run: Any) -> None:
    assert "no such command 'bogus'; see event-tools --help" in refused(run("bogus"))
    assert "missing argument" in refused(run("show", "--out", "page.html"))


def test_a_terminated_conversion_takes_back_what_it_half_wrote(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_tools.convert.write", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    source, before = folder(tmp_path / "set"), signal.getsignal(signal.SIGTERM)
    assert run("convert", source, tmp_path / "out", "--to", "aedat4").status == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == [source]
    assert signal.getsignal(signal.SIGTERM) is before


def test_info_prints_what_a_file_holds(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "one.aedat4", recording(3), provenance={"seed": 5})
    result = run("info", tmp_path / "one.aedat4")
    lines = dict(line.split(maxsplit=1) for line in result.out.splitlines())
    assert (lines["format"], lines["sensor_size"], lines["events"]) == ("aedat4", "34x34", "23")
    assert lines["provenance"] == "seed=5"
    assert result.err == ""


def test_info_as_json_is_what_info_returns(run: Any, tmp_path: Path) -> None:
    paths = [tmp_path / "one.bin", tmp_path / "two.h5"]
    for path in paths:
        write(path, recording(3))
    answer = json.loads(run("info", paths[0], "--json").out)
    assert answer["events"] == 23 and answer["sensor_size"] == [34, 34]
    assert answer["on_share"] == info(paths[0]).on_share
    assert [one["format"] for one in json.loads(run("info", *paths, "--json").out)] == ["nmnist", "hdf5"]


def test_info_of_a_damaged_file_names_the_byte_and_can_be_tolerant(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "one.bin", recording(3))
    (tmp_path / "one.bin").write_bytes((tmp_path / "one.bin").read_bytes()[:-1])
    assert "one.bin at byte 110: expected records of 5 bytes" in refused(run("info", tmp_path / "one.bin"))
    result = run("info", tmp_path / "one.bin", "--tolerant", "--json")
    assert (result.status, json.loads(result.out)["events"]) == (0, 22)
    assert result.err.count("\n") == 1 and "kept what precedes it" in result.err


def test_convert_writes_a_file_and_says_where(run: Any, tmp_path: Path) -> None:
    write(tmp_path / "one.bin", recording(9))
    out = tmp_path / "one.h5"
    result = run("convert", tmp_path / "one.bin", out, "--sensor", "40x50", "--start-us", 3, "--stop-us", 20)
    assert (result.status, result.out, result.err) == (0, f"{out}\n", "")
    events = read(out)
    assert (events.sensor_size, events.t.tolist()) == ((40, 50), list(range(3, 20)))


def test_convert_writes_a_set(run: Any, tmp_path: Path) -> None:
    archive = zipped(tmp_path / "set.zip", folder(tmp_path / "set"))
    assert run("convert", archive, tmp_path / "out", "--to", "aedat4").status == 0
    assert list(open_recordings(tmp_path / "out")) == list(open_recordings(archive))


@pytest.mark.parametrize("size", ["34", "34x", "axb", "34X34", "-1x3"])
def test_a_sensor_that_is_no_size_is_refused(run: Any, tmp_path: Path, size: str) -> None:
    write(tmp_path / "one.bin", recording(9))
    result = run("convert", tmp_path / "one.bin", tmp_path / "two.h5", f"--sensor={size}")
    assert "expected --sensor as WIDTHxHEIGHT, for example 34x34, got" in refused(result)


def test_what_cannot_be_converted_is_one_sentence_and_leaves_nothing(run: Any, tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    (tmp_path / "empty.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    before = sorted(tmp_path.rglob("*"))
    wrong = [
        (("convert", tmp_path / "absent.bin", tmp_path / "out.h5"), "found no such file"),
        (("convert", source, tmp_path / "out"), "expected --to bin, aedat4 or h5 for a whole set"),
        (("convert", source, tmp_path / "out", "--to", "evt3"), "expected a suffix that can be written"),
        (("convert", tmp_path / "empty.zip", tmp_path / "out", "--to", "h5"), "found none"),
        (("convert", source / "Train/0/2.bin", tmp_path / "out.h5", "--compression", "lz4"), "with AEDAT 4 only"),
        (("convert", source / "Train/0/2.bin", tmp_path / "out.aedat4", "--format", "hdf5"), "expected an HDF5 file"),
        (("show", source, "--out", tmp_path / "out.png"), "expected --out to end in .html or .gif"),
        (("compare", source, tmp_path / "absent"), "expected a recording, found no such file"),
    ]
    for arguments, sentence in wrong:
        assert sentence in refused(run(*arguments)), arguments
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_package_is_named_with_its_pip_line(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "one.bin", recording(9))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    result = run("convert", tmp_path / "one.bin", tmp_path / "two.aedat4", "--compression", "zstd")
    assert "pip install zstandard" in refused(result)
    monkeypatch.setitem(sys.modules, "PIL", None)
    result = run("show", tmp_path / "one.bin", "--out", tmp_path / "two.gif")
    assert "pip install" in refused(result)


def test_show_makes_a_page_or_a_picture(run: Any, tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    for name, head in (("page.html", b"<!doctype html>"), ("page.gif", b"GIF89a")):
        result = run("show", source, "--out", tmp_path / name, "--count", 2)
        assert (result.status, result.out) == (0, f"{tmp_path / name}\n")
        assert (tmp_path / name).read_bytes()[:15].lower().startswith(head.lower())


def test_compare_prints_each_figure_beside_its_floor(run: Any, tmp_path: Path) -> None:
    for name, seeds in (("a", range(4)), ("b", range(4, 8))):
        for seed in seeds:
            (tmp_path / name / "0").mkdir(parents=True, exist_ok=True)
            write(tmp_path / name / "0" / f"{seed}.bin", recording(100 + 10 * seed))
    figures = json.loads(run("compare", tmp_path / "a", tmp_path / "b", "--json").out)
    assert all(set(row) == {"unit", "value", "floor"} for row in figures.values())
    same = json.loads(run("compare", tmp_path / "a", tmp_path / "a", "--json").out)
    assert all(row["value"] == 0 for row in same.values())
    lines = run("compare", tmp_path / "a", tmp_path / "b", "--count", 2).out.splitlines()
    assert [line.split()[0] for line in lines] == list(figures)


def test_a_command_or_option_that_does_not_exist_ends_with_status_2(run: Any) -> None:
    for arguments in (("inf",), ("info", "--frmat", "x"), ("show", "one.bin")):
        result = run(*arguments)
        assert (result.status, result.out) == (2, "")
        assert "Traceback" not in result.err
