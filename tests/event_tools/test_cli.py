"""The event-tools command as a person meets it: answers on stdout, one sentence and status 2 for what can be mended."""

from __future__ import annotations

import ast
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_tools import Events, info, read, to_frames, write
from event_tools.cli import EXAMPLES, app, main
from event_tools.commands.options import FORMAT_NAMES, told
from event_tools.datasets import open_recordings
from event_tools.finding import FORMATS
from event_tools.frame_files import read_frames
from tests.data import ROOT
from tests.event_tools.test_datasets import folder, recording, zipped

COMMANDS = ("info", "convert", "frames", "unframe", "filter", "cut", "merge", "show", "to-video", "compare")


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


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A recording of 29 events at 0 to 28 us."""
    write(tmp_path / "one.bin", recording(9))
    return tmp_path / "one.bin"


def refused(result: Result) -> str:
    """The one sentence of a refused command."""
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("event-tools: ") and result.err.count("\n") == 1
    return result.err


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


def test_the_installed_command_refuses_in_one_sentence_without_a_traceback() -> None:
    command = [sys.executable, "-c", "from event_tools.cli import main; main()", "info", "absent.bin"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "event-tools: absent.bin: expected a recording, found no such file; check the path\n"


def test_neurogen_has_the_same_commands_under_events() -> None:
    from neurogen.cli import app as neurogen

    assert [group.typer_instance for group in neurogen.registered_groups if group.name == "events"] == [app]


def test_a_wrong_command_line_is_one_sentence(run: Any) -> None:
    assert "no such command 'bogus'; see event-tools --help" in refused(run("bogus"))
    assert "missing argument" in refused(run("show", "--out", "page.html"))


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
    before = sorted(tmp_path.rglob("*"))
    out, h5 = tmp_path / "out", tmp_path / "out.h5"
    wrong = [
        (("convert", tmp_path / "absent.bin", h5), "found no such file"),
        (("convert", tmp_path / "pipe.bin", h5), "expected a regular file, got a folder, a pipe or a device"),
        (("convert", source, out), "expected --to with a format or suffix, since it is a folder"),
        (("convert", source, out, "--to", "evt9"), "expected a format or suffix that can be written"),
        (("convert", source, out, "--to", "h5", "--overwrite"), "expected --overwrite with a single file only"),
        (("convert", source, source, "--to", "h5"), "expected a folder outside of"),
        (("convert", source, tmp_path / "no/where", "--to", "h5"), "to exist; make it first"),
        (("convert", tmp_path / "*.zap", out, "--to", "h5"), "expected a pattern that some file matches, none does"),
        (("convert", tmp_path / "empty.zip", out, "--to", "h5"), "found none"),
        (("convert", one, one), "it is there already"),
        (("convert", one, one, "--overwrite"), "expected another file to write than the one that is read"),
        (("convert", one, tmp_path / "no/out.h5"), "no to exist; make it first"),
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


def test_frames_of_a_file_and_back_are_the_same_frames(run: Any, one: Path) -> None:
    npz, back = one.with_suffix(".npz"), one.with_suffix(".aedat4")
    answer = json.loads(run("frames", one, npz, "--steps", 4, "--json").out)
    assert (answer["events"], answer["frames"]) == (29, 4)
    found = read_frames(npz)
    expected = to_frames(recording(9), 4)
    assert np.array_equal(found.counts, expected.counts) and found.edges is not None
    assert json.loads(run("unframe", npz, back, "--seed", 7, "--json").out)["events"] == 29
    assert to_frames(read(back), edges=found.edges) == expected
    told = info(back).provenance
    assert told["seed"] == 7
    assert str(told["history.1"]).startswith("frames one.bin by=time steps=4 (")
    assert str(told["history.2"]).startswith("unframe one.npz placement=uniform seed=7 (")


@pytest.mark.parametrize(
    ("options", "edges"),
    [
        (("--duration-us", 10), [0, 10, 20, 30]),
        (("--edges", "0,5,28"), [0, 5, 28]),
        (("--steps", 2, "--by", "count"), [0, 14, 28]),
        (("--steps", 2, "--start-us", 10, "--stop-us", 21), [10, 15, 20]),
    ],
)
def test_frames_are_cut_as_asked(run: Any, one: Path, options: tuple[Any, ...], edges: list[int]) -> None:
    assert run("frames", one, one.with_suffix(".npz"), *options).status == 0
    found = read_frames(one.with_suffix(".npz"))
    assert found.edges is not None and found.edges.tolist() == edges


def test_frames_of_a_set_keep_its_shape_and_each_file_has_a_seed_of_its_own(run: Any, tmp_path: Path) -> None:
    source, counts, out = folder(tmp_path / "set"), tmp_path / "counts", tmp_path / "out"
    run("frames", source, counts, "--steps", 2, "--workers", 1, "--to", "npy")
    assert sorted(path.relative_to(counts).as_posix() for path in counts.rglob("*.npy")) == sorted(
        name.replace(".bin", ".npy") for name in open_recordings(source).names
    )
    assert "give --bin-us" in run("unframe", counts, out, "--to", "h5", "--workers", 1).err
    arguments = ("--to", "h5", "--bin-us", 20, "--start-us", 5, "--seed", 3, "--workers", 1)
    assert run("unframe", counts, tmp_path / "again", *arguments).status == 0
    made = sorted((tmp_path / "again").rglob("*.h5"))
    assert [info(path).provenance["seed"] for path in made] == [3, 4, 6, 5, 7]  # Train/0/10 after Train/0/2
    frames = to_frames(read(made[0]), edges=[5, 25, 45])
    assert np.array_equal(frames.counts, np.load(counts / "Test/0/4.npy"))


def test_unframe_can_follow_the_rate_of_real_recordings(run: Any, tmp_path: Path) -> None:
    source, npz = folder(tmp_path / "set"), tmp_path / "one.npz"
    run("frames", source / "Train/0/2.bin", npz, "--edges", "0,3000")
    late = Events(np.arange(2000, 3000), np.zeros(1000, int), np.zeros(1000, int), np.zeros(1000, int), (34, 34))
    (tmp_path / "real/a").mkdir(parents=True)
    write(tmp_path / "real/a/1.bin", late)
    arguments = ("--placement", "profile", "--profile", tmp_path / "real", "--unique", "--refractory-us", 5)
    assert run("unframe", npz, tmp_path / "one.h5", *arguments).status == 0
    t = read(tmp_path / "one.h5").t
    assert (len(t), len(np.unique(t))) == (20, 20) and t.min() >= 2000


def test_filter_sends_recordings_through_filters(run: Any, one: Path) -> None:
    from event_tools import filters

    out = one.with_suffix(".h5")
    result = run("filter", one, out, "flip_left_right", "crop:left=4,top=0,width=30,height=34", "--json")
    assert json.loads(result.out)["events"] == len(read(out))
    assert read(out) == filters.crop(filters.flip_left_right(recording(9)), 4, 0, 30, 34)
    assert "filters=flip_left_right crop:left=4,top=0,width=30,height=34" in str(info(out).provenance["history.1"])
    assert "denoise:" in run("filter", "--list").out


def test_chance_in_a_filter_is_drawn_for_each_recording_and_the_same_in_every_run(run: Any, tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("a/1.bin", "a/2.bin"))
    (source / "a/2.bin").write_bytes((source / "a/1.bin").read_bytes())
    for out in ("one", "two"):
        run("filter", source, tmp_path / out, "drop_events:share=0.5,seed=1", "--to", "bin", "--workers", 1)
    data = [(tmp_path / out / "a" / name).read_bytes() for out in ("one", "two") for name in ("1.bin", "2.bin")]
    assert data[:2] == data[2:] and data[0] != data[1] and len(data[0]) == 50


def test_cut_keeps_a_window_or_divides(run: Any, one: Path) -> None:
    out = one.with_suffix(".h5")
    run("cut", one, out, "--start-us", 4, "--skip-events", 2, "--max-events", 3, "--zero")
    assert read(out).t.tolist() == [2, 3, 4]
    answer = json.loads(run("cut", one, one.parent / "parts", "--to", "bin", "--every-events", 10, "--json").out)
    assert (answer["parts"], answer["events"]) == (3, 29)
    files = sorted((one.parent / "parts").glob("*.bin"))
    assert [(file.name, len(read(file))) for file in files] == [
        ("one-00000.bin", 10), ("one-00001.bin", 10), ("one-00002.bin", 9)
    ]  # fmt: skip


def test_merge_puts_recordings_together(run: Any, one: Path) -> None:
    write(one.with_name("two.bin"), recording(1))
    out = one.with_suffix(".h5")
    answer = json.loads(run("merge", one, one.with_name("two.bin"), out, "--shift-us", "0,100", "--json").out)
    assert answer == {"out": str(out), "recordings": 2, "events": 50}
    assert read(out).t.tolist() == [*range(29), *range(100, 121)]
    assert "it is there already" in refused(run("merge", one, out))


def test_a_labelled_set_goes_into_one_file_and_back(run: Any, tmp_path: Path) -> None:
    source, out = folder(tmp_path / "set"), tmp_path / "set.h5"
    answer = json.loads(run("merge", source, out, "--labelled", "--json").out)
    assert (answer["recordings"], answer["events"]) == (5, 20 + 21 + 22 + 23 + 24)
    assert run("convert", out, tmp_path / "back", "--to", "bin", "--workers", 1).status == 0
    again, before = open_recordings(tmp_path / "back"), open_recordings(source)
    assert (again.names, again.labels.tolist(), list(again)) == (before.names, before.labels.tolist(), list(before))
    assert json.loads(run("info", out, "--member", "Train/0/10", "--json").out)["events"] == 21


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
    assert all(set(row) == {"unit", "value", "floor"} for row in figures.values())
    same = json.loads(run("compare", tmp_path / "a", tmp_path / "a", "--json").out)
    assert all(row["value"] == 0 for row in same.values())
    lines = run("compare", tmp_path / "a", tmp_path / "b", "--count", 2).out.splitlines()
    assert [line.split()[0] for line in lines] == list(figures)


def test_the_guides_commands_run_one_after_the_other(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("00002.bin", "N-MNIST/Train/0/1.bin", "N-MNIST/Train/1/2.bin", "N-MNIST/Test/0/3.bin"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        t = np.sort(rng.integers(0, 300_000, 500))
        write(name, Events(t, rng.integers(0, 34, 500), rng.integers(0, 34, 500), t % 2, (34, 34)))
    guide = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    commands = guide.partition("```sh\n")[2].partition("```")[0].splitlines()
    assert {line.split()[1] for line in commands} == set(COMMANDS)
    monkeypatch.setattr("event_tools.pool.cpu_count", lambda: 1)
    for line in commands:
        result = run(*shlex.split(line)[1:])
        assert result.status == 0 and result.err == "", line


def test_a_command_or_option_that_does_not_exist_ends_with_status_2(run: Any) -> None:
    for arguments in (("inf",), ("info", "--frmat", "x"), ("show", "one.bin")):
        result = run(*arguments)
        assert (result.status, result.out) == (2, "")
        assert "Traceback" not in result.err


def test_only_options_that_were_given_are_told() -> None:
    assert told(steps=0, seed=None, zero=False, sort=True, edges=[], filters=["a", "b"]) == {
        "steps": "0", "sort": "yes", "filters": "a b"
    }  # fmt: skip
