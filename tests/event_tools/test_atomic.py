"""A file written beside its name is either the new one, whole, or the old one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from event_tools import EventFileError, Events, read, write
from event_tools.atomic import filling, replacing

SUFFIXES = (".bin", ".aedat4", ".h5")


def some(n: int = 5000) -> Events:
    rng = np.random.default_rng(n)
    return Events(np.arange(n), rng.integers(0, 34, n), rng.integers(0, 34, n), rng.integers(0, 2, n), (34, 34))


def test_a_failure_half_way_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "kept.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"ne")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_removes_the_partial_file_too(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "new") as temporary:
        temporary.write_bytes(b"ne")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "real.bin", tmp_path / "link.bin"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with replacing(link) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_name_of_the_greatest_length_can_be_replaced(tmp_path: Path) -> None:
    with replacing(tmp_path / ("n" * 255)) as temporary:
        temporary.write_bytes(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["n" * 255]


@pytest.mark.parametrize("place", ["absent/one.bin", "folder.bin", "pipe.bin"])
def test_a_place_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder.bin").mkdir()
    os.mkfifo(tmp_path / "pipe.bin")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EventFileError, match=r"it cannot be written, (there is no folder|a folder, a pipe)"):
        write(tmp_path / place, some())
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_old_recording_alone(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"one{suffix}"
    write(path, some(7))
    code = (
        "import resource, sys\nimport tests.event_tools.test_atomic as here\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"  # as a disk with 4 KiB left
        f"try:\n    here.write({str(path)!r}, here.some())\n"
        "except here.EventFileError as error:\n    print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "it cannot be written, file too large; free space or choose another place" in result.stdout
    assert list(tmp_path.iterdir()) == [path]
    assert read(path) == some(7)


def test_killed_while_writing_the_old_recording_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    write(path, some(7))
    code = (
        "import time\nfrom event_tools.atomic import replacing\n"
        f"with replacing({str(path)!r}) as temporary:\n"
        "    temporary.write_bytes(b'half')\n    print('ready', flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.kill()
    assert read(path) == some(7)


def test_equal_recordings_give_equal_bytes_whenever_they_are_written(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        write(tmp_path / f"one{suffix}", some())
    time.sleep(1.1)  # HDF5 can keep times, in whole seconds
    for suffix in SUFFIXES:
        write(tmp_path / f"two{suffix}", some())
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_a_folder_appears_when_it_is_full_and_an_empty_one_is_taken_over(tmp_path: Path) -> None:
    out = tmp_path / "new" / "set"
    with filling(out) as partial:
        (partial / "a").write_text("a")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["a"]
    (tmp_path / "empty").mkdir()
    with filling(tmp_path / "empty") as partial:
        (partial / "b").write_text("b")
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["b"]


def test_a_folder_that_fails_or_finds_its_name_in_use_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), filling(tmp_path / "one") as partial:
        (partial / "a").write_text("a")
        raise KeyboardInterrupt
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "mine").write_text("mine")
    with pytest.raises(OSError, match="not empty"), filling(tmp_path / "two") as partial:
        (partial / "a").write_text("a")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["two", "two/mine"]
