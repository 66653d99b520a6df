"""Many files: shards and workers make the same bytes, a killed job goes on, and no half file or process is left."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from event_tools import EventFileError, read, write
from event_tools.convert import Conversion
from event_tools.jobs import RECORD, Job, Task, plan, run_job, sweep
from event_tools.pool import answers
from event_tools.sources import expand
from tests.data import ROOT
from tests.event_tools.command_line import contents
from tests.event_tools.test_datasets import folder, recording
from tests.event_tools.workers import Deadly, die, double, fail, hold

NAMES = tuple(f"{label}/{i}.bin" for label in "ab" for i in range(5))


def convert(source: Path, out: Path, workers: int = 1, shard: tuple[int, int] = (0, 1), **options: Any) -> Any:
    """A job as the command line makes it."""
    work = options.pop("work", Conversion("aedat4"))
    tasks = plan(expand([str(source)]).items, out, ".aedat4", (".bin",))
    return run_job(Job.of("convert", [source], {"to": "aedat4", **options}), tasks, out, work, workers, shard)


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The command in a process group of its own, as a shell starts it; nothing of it is left afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from event_tools.cli import main; main()", *map(str, arguments)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if members(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def members(group: int) -> list[int]:
    """Processes of a group that still run; zombies do not."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, number = status.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(number) == group and state != "Z":
            found.append(int(status.parent.name))
    return found


def until(condition: Any, seconds: float = 60) -> None:
    """Wait for a condition; the limit only ends a test that hangs."""
    stop = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < stop, "waited in vain"
        time.sleep(0.005)


def big_set(path: Path) -> Path:
    """Files of which each takes a while to be written."""
    path.mkdir()
    write(path / "1.bin", recording(50_000))
    for i in range(2, 40):
        os.link(path / "1.bin", path / f"{i}.bin")
    return path


def test_shards_together_make_what_one_run_makes(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", NAMES)
    convert(source, tmp_path / "whole")
    made = [convert(source, tmp_path / "parts", shard=(k, 3)).made for k in (2, 0, 1)]
    assert made == [3, 4, 3]
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")
    assert len(contents(tmp_path / "whole")) == len(NAMES) + 1


def test_a_shard_makes_every_nth_output_in_order_of_name(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("a/10.bin", "a/9.bin", "b/1.bin"))
    convert(source, tmp_path / "out", shard=(1, 2))
    assert set(contents(tmp_path / "out")) == {"a/10.aedat4", RECORD}


def test_shards_may_run_at_once_in_the_same_folder(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", NAMES)
    run = ("convert", source, tmp_path / "parts", "--to", "aedat4", "--workers", 1, "--shard")
    with started(*run, "0/2") as one, started(*run, "1/2") as two:
        assert (one.wait(), two.wait()) == (0, 0)
    convert(source, tmp_path / "whole")
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")


def test_two_workers_make_what_one_makes(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", NAMES)
    one, two = convert(source, tmp_path / "one"), convert(source, tmp_path / "two", workers=2)
    assert (one.made, one.counts) == (two.made, two.counts) == (10, {"events": sum(20 + i for i in range(10))})
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_is_there_is_kept_and_only_the_rest_is_made(tmp_path: Path) -> None:
    source, out = folder(tmp_path / "set", NAMES), tmp_path / "out"
    convert(source, out)
    (out / "a/3.aedat4").unlink()
    (out / "b/1.aedat4").write_bytes(b"left alone")
    again = convert(source, out)
    assert (again.made, again.kept) == (1, 9)
    assert read(out / "a/3.aedat4") == recording(3)
    assert (out / "b/1.aedat4").read_bytes() == b"left alone"


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGTERM, 1), (signal.SIGINT, 2), (signal.SIGHUP, 1)])
def test_a_stopped_job_leaves_whole_files_and_no_process_and_goes_on(
    tmp_path: Path, number: signal.Signals, workers: int
) -> None:
    source, out = big_set(tmp_path / "set"), tmp_path / "out"
    with started("convert", source, out, "--to", "aedat4", "--workers", workers) as process:
        until(lambda: len(list(out.glob("*.aedat4"))) >= 2)
        process.terminate() if number == signal.SIGTERM else os.killpg(process.pid, number)
        assert process.wait() == 128 + number
        assert process.stderr is not None and "Traceback" not in process.stderr.read()
        until(lambda: not members(process.pid))
    done = contents(out)
    assert 2 < len(done) < 40 and not [name for name in done if name.endswith(".partial")]
    resumed = convert(source, out)
    assert (resumed.made, resumed.kept) == (40 - len(done), len(done) - 1)
    convert(source, tmp_path / "undisturbed")
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_a_killed_job_leaves_no_worker_behind_and_its_remains_are_swept(tmp_path: Path) -> None:
    source, out = big_set(tmp_path / "set"), tmp_path / "out"
    with started("convert", source, out, "--to", "aedat4", "--workers", 2) as process:
        until(lambda: len(list(out.glob("*.aedat4"))) >= 2)
        process.kill()
        until(lambda: not members(process.pid))
    assert 2 < len(contents(out)) < 40
    stray = out / f".39.aedat4.{process.pid}.7f.partial"
    stray.write_bytes(b"half")
    convert(source, out)
    assert sorted(contents(out)) == sorted([RECORD, *(f"{i}.aedat4" for i in range(1, 40))])


def test_remains_of_a_process_that_runs_are_not_swept(tmp_path: Path) -> None:
    source, out = folder(tmp_path / "set", NAMES), tmp_path / "out"
    convert(source, out, shard=(1, 2))
    alive, elsewhere = f".0.aedat4.{os.getppid()}.7f.partial", f".9.aedat4.{2**22 + 1}.7f.partial"
    for name in (alive, elsewhere):
        (out / "a" / name).write_bytes(b"half")
    convert(source, out)
    assert {alive, elsewhere} <= set(os.listdir(out / "a"))  # the second is of no output of this job


def test_remains_of_a_single_file_and_of_its_parts_are_swept(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    mine = [f".{name}.{process.pid}.7f.partial" for name in ("one.h5", "two-00000.h5", "two-00012.h5")]
    others = [f".{name}.{process.pid}.7f.partial" for name in ("one.bin", "three-00001.h5", "two-12.h5")] + ["one.h5"]
    for name in mine + others:
        (tmp_path / name).write_bytes(b"half")
    sweep([tmp_path / "one.h5", tmp_path / "two-00000.h5"])
    assert sorted(os.listdir(tmp_path)) == sorted(others)


def test_one_damaged_recording_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = folder(tmp_path / "set", NAMES), tmp_path / "out"
    (source / "a/2.bin").write_bytes(bytes(7))
    with pytest.raises(ValueError, match=r"1 of 10 failed; the others are in .*out, run it again"):
        convert(source, out)
    assert capsys.readouterr().err.startswith(f"event-tools: {source}/a/2.bin at byte 5: expected records of 5 bytes")
    assert len(contents(out)) == 10 and not (out / "a/2.aedat4").exists()
    write(source / "a/2.bin", recording(2))
    assert convert(source, out).made == 1
    assert read(out / "a/2.aedat4") == recording(2)


def test_ten_errors_are_told_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "set"
    source.mkdir()
    for i in range(13):
        (source / f"{i}.bin").write_bytes(bytes(4))
    with pytest.raises(ValueError, match="13 of 13 failed, 3 of them not listed; the others are in"):
        convert(source, tmp_path / "out")
    assert capsys.readouterr().err.count("\n") == 10


def test_a_folder_of_another_job_is_refused_with_the_difference(tmp_path: Path) -> None:
    source, out = folder(tmp_path / "set", NAMES), tmp_path / "out"
    convert(source, out)
    before = contents(out)
    with pytest.raises(EventFileError, match=r"another job \(sensor was not given, now it is 40x40\); choose another"):
        convert(source, out, sensor="40x40")
    with pytest.raises(EventFileError, match=rf"another job \(of {source}\)"):
        convert(folder(tmp_path / "other", NAMES), out)
    with pytest.raises(EventFileError, match=r"another job \(convert, not filter\)"):
        run_job(Job.of("filter", [source], {}), [], out, Conversion("aedat4"), 1)
    (out / RECORD).write_text("[]")
    with pytest.raises(EventFileError, match=r"another job \(its \.event-tools\.json cannot be read\)"):
        convert(source, out)
    assert {**contents(out), RECORD: before[RECORD]} == before


def test_salvaging_goes_on_in_the_folder_of_the_job_that_met_the_damage(tmp_path: Path) -> None:
    source, out = folder(tmp_path / "set", NAMES), tmp_path / "out"
    convert(source, out, shard=(0, 2))
    assert convert(source, out, salvage="yes").made == 5


def test_a_folder_with_other_files_a_file_and_a_missing_parent_are_refused(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", NAMES)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for out, reason in (
        ("full", "expected a new or empty folder, it holds other files"),
        ("file", "expected a folder for many outputs, it is a file"),
        ("absent/out", "to exist; make it first"),
        ("set", r"expected a folder outside of .*set, which is read"),
        ("set/a/out", r"expected a folder outside of .*set, which is read"),
    ):
        with pytest.raises(EventFileError, match=reason):
            convert(source, tmp_path / out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full", "set"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/.DS_Store").write_text("")
    assert convert(source, tmp_path / "empty").made == 10


def test_two_recordings_that_would_have_one_name_are_refused(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("a/1.bin", "a/1.h5"))
    with pytest.raises(EventFileError, match=r"names that differ without their suffix, 1\.aedat4 comes twice"):
        plan(expand([str(source)]).items, tmp_path / "out", ".aedat4", (".bin", ".h5"))


def test_an_unknown_suffix_is_part_of_the_name(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("a/1.5.bin",))
    items = expand([str(source)]).items
    assert plan(items, tmp_path, ".h5", (".bin",))[0].out == tmp_path / "a/1.5.h5"
    assert plan(items, tmp_path, ".h5", (), "-00000")[0].out == tmp_path / "a/1.5.bin-00000.h5"


def interrupt(condition: Any) -> None:
    """Ctrl-C in the main thread once a condition holds."""
    until(condition)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def test_answers_come_with_the_index_of_their_item() -> None:
    for workers in (1, 2):
        found = sorted(answers(double, [5, 6, 7], workers), key=lambda answer: answer.index)
        assert [(answer.index, answer.value) for answer in found] == [(0, 10), (1, 12), (2, 14)]


def test_a_worker_that_is_killed_is_named_and_an_error_of_ours_is_not_hidden() -> None:
    with pytest.raises(ChildProcessError, match=r"[56]: its worker was killed by signal 9, .*; run it again"):
        list(answers(die, [5, 6], 2))
    with pytest.raises(RuntimeError, match="KeyError: 'ours'"):
        list(answers(fail, [5, 6], 2))
    with pytest.raises(KeyError):
        list(answers(fail, [5], 2))


def test_a_worker_that_dies_at_its_start_is_told_of_too() -> None:
    with pytest.raises(ChildProcessError, match=r"its worker ended by 3; run it again with fewer --workers"):
        list(answers(Deadly(), ["x" * (1 << 20)] * 2, 2))


def test_workers_take_back_what_they_half_wrote_when_their_answers_are_not_wanted(tmp_path: Path) -> None:
    found = answers(hold, [tmp_path / "one", tmp_path / "two"], 2)
    threading.Thread(target=interrupt, args=(lambda: len(list(tmp_path.iterdir())) == 2,)).start()
    with pytest.raises(KeyboardInterrupt):
        next(found)
    assert list(tmp_path.iterdir()) == [] and multiprocessing.active_children() == []


def test_a_worker_in_the_middle_of_a_long_file_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom event_tools.pool import answers\nfrom tests.event_tools.workers import hold\n"
        f"list(answers(hold, [Path({str(tmp_path / 'one')!r}), Path({str(tmp_path / 'two')!r})], 2))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, start_new_session=True)
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    process.kill()
    process.wait()
    until(lambda: not members(process.pid), 30)
    assert list(tmp_path.iterdir()) == []


def test_a_task_is_called_by_its_recording(tmp_path: Path) -> None:
    item = expand([str(tmp_path / "one.bin")]).items[0]
    assert str(Task(0, item, tmp_path / "one.h5")) == str(tmp_path / "one.bin")
