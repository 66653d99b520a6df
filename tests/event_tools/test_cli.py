"""The event-tools command as a person meets it: help, info, show, compare; answers on stdout, talk on stderr."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_tools import Events, info, write
from event_tools.cli import EXAMPLES, app
from event_tools.commands.options import FORMAT_NAMES, told
from event_tools.finding import FORMATS
from tests.data import ROOT
from tests.event_tools.command_line import COMMANDS, refused
from tests.event_tools.test_datasets import folder, recording, zipped


def test_every_command_has_an_example_in_its_help(run: Any) -> None:
    assert tuple(command.name for command in app.registered_commands) == COMMANDS
    assert tuple(example.split()[0] for _, example in EXAMPLES) == COMMANDS
    for command in COMMANDS:
        result = run(command, "--help")
        assert result.status == 0
        assert f"Example: event-tools {command} " in " ".join(result.out.split())
    assert "Example: event-tools info" in run("--help").out


def test_the_formats_that_the_help_names_are_those_there_are() -> None:
    assert FORMAT_NAMES.split() == list(FORMATS)


def test_help_of_a_command_loads_typer_alone() -> None:
    code = "import sys\nfrom event_tools.cli import main\nsys.argv = ['event-tools', 'convert', '--help']\n"
    lines = f"{code}try:\n    main()\nfinally:\n    print([name for name in ('numpy', 'h5py') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ast.literal_eval(result.stdout.splitlines()[-1]) == []


def test_neurogen_has_the_same_commands_under_events() -> None:
    from neurogen.cli import app as neurogen

    assert [group.typer_instance for group in neurogen.registered_groups if group.name == "events"] == [app]


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


def test_info_of_a_set_is_a_table_with_a_line_for_each(run: Any, tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    lines = run("info", zipped(tmp_path / "set.zip", source)).out.splitlines()
    assert [line.split()[3] for line in lines] == ["events", "24", "23", "20", "21", "22"]
    assert lines[1].split()[0] == str(tmp_path / "set.zip/Test/0/4.bin")
    assert [one["events"] for one in json.loads(run("info", source / "*" / "0", "--json").out)] == [24, 20, 21]


def test_info_of_a_damaged_file_names_the_byte_and_can_salvage(run: Any, one: Path) -> None:
    one.write_bytes(one.read_bytes()[:-1])
    assert "one.bin at byte 140: expected records of 5 bytes" in refused(run("info", one))
    result = run("info", one, "--salvage", "--json")
    assert (result.status, json.loads(result.out)["events"]) == (0, 28)
    assert result.err.count("\n") == 1 and "kept what precedes it" in result.err


def test_info_of_several_says_what_it_can_and_ends_with_status_2(run: Any, one: Path) -> None:
    result = run("info", one, one.parent / "absent.bin", "--json")
    assert result.status == 2
    assert [found["events"] for found in json.loads(result.out)] == [29]
    assert result.err.count("\n") == 1 and "absent.bin: expected a recording" in result.err


def test_show_makes_a_page_or_a_picture_and_to_video_a_film(run: Any, tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    for command, name, head in (
        ("show", "page.html", b"<!doctype html>"),
        ("show", "page.gif", b"GIF89a"),
        ("to-video", "film.gif", b"GIF89a"),
        ("to-video", "film.apng", b"\x89PNG"),
    ):
        result = run(command, source, "--out", tmp_path / name, "--count", 2, "--ground", "light")
        assert (result.status, result.out) == (0, f"{tmp_path / name}\n")
        assert (tmp_path / name).read_bytes()[:15].lower().startswith(head.lower())


def test_compare_prints_each_figure_beside_its_floor(run: Any, tmp_path: Path) -> None:
    for name, seeds in (("a", range(4)), ("b", range(4, 8))):
        for seed in seeds:
            (tmp_path / name / "0").mkdir(parents=True, exist_ok=True)
            write(tmp_path / name / "0" / f"{seed}.bin", recording(100 + 10 * seed))
    figures = json.loads(run("compare", tmp_path / "a", tmp_path / "b", "--json").out)
    assert all(set(row) == {"unit", "value", "floor", "ratio"} for row in figures.values())
    assert figures["count_w1"]["ratio"] == figures["count_w1"]["value"] / figures["count_w1"]["floor"]
    same = json.loads(run("compare", tmp_path / "a", tmp_path / "a", "--json").out)
    assert {name for name, row in same.items() if row["value"] != 0} == {"cycle_lag", "cycle_peak"}  # too short for one
    lines = run("compare", tmp_path / "a", tmp_path / "b", "--count", 2).out.splitlines()
    assert [line.split()[0] for line in lines] == list(figures)


def test_compare_takes_the_floor_from_recordings_that_are_named(run: Any, tmp_path: Path) -> None:
    for name, seeds in (("a", range(2)), ("b", range(2, 4)), ("c", range(4, 6))):
        (tmp_path / name).mkdir()
        for seed in seeds:
            write(tmp_path / name / f"{seed}.h5", recording(100 + 10 * seed))
    a, b, c = (tmp_path / name for name in "abc")
    beside = json.loads(run("compare", a, b, "--floor", c, "--json").out)
    alone = json.loads(run("compare", c, b, "--json").out)
    assert [row["floor"] for row in beside.values()] == [row["value"] for row in alone.values()]


def test_compare_takes_two_single_recordings_of_any_format(run: Any, tmp_path: Path) -> None:
    one, two = tmp_path / "one.bin", tmp_path / "two.aedat4"
    write(one, recording(200))
    write(two, recording(300))
    result = run("compare", one, two, "--json")
    figures = json.loads(result.out)
    assert figures["count_w1"]["value"] == pytest.approx(100 / 320) and figures["victor_purpura"]["value"] > 0
    assert all(row["floor"] is None and row["ratio"] is None for row in figures.values())
    assert result.status == 0 and result.err.startswith(f"event-tools: no floor: {two} is one recording; give --floor ")
    with_floor = json.loads(run("compare", one, two, "--floor", one, "--json").out)
    assert with_floor["count_w1"]["ratio"] == 1


def test_the_guides_commands_run_one_after_the_other(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("00002.bin", "N-MNIST/Train/0/1.bin", "N-MNIST/Train/1/2.bin", "N-MNIST/Test/0/3.bin"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        t = np.sort(rng.integers(0, 300_000, 500))
        write(name, Events(t, rng.integers(0, 34, 500), rng.integers(0, 34, 500), t % 2, (34, 34)))
    np.savez("pictures.npz", images=rng.integers(0, 256, (2, 16, 16)).astype(np.uint8), labels=np.arange(2))
    guide = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    commands = guide.partition("```sh\n")[2].partition("```")[0].splitlines()
    assert {line.split()[1] for line in commands} == set(COMMANDS)
    monkeypatch.setattr("event_tools.pool.cpu_count", lambda: 1)
    for line in commands:
        result = run(*shlex.split(line)[1:])
        assert result.status == 0 and result.err == "", line


def test_only_options_that_were_given_are_told() -> None:
    assert told(steps=0, seed=None, zero=False, sort=True, edges=[], filters=["a", "b"]) == {
        "steps": "0", "sort": "yes", "filters": "a b"
    }  # fmt: skip
