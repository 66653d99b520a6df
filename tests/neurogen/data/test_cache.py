"""Folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from neurogen.data import DataError
from neurogen.data import cache as cache_module
from neurogen.data.cache import STALE_SECONDS, built, cache_dir, source_key


def test_the_cache_lies_where_the_environment_says(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_dir() == cache
    monkeypatch.delenv("NEUROGEN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_dir() == Path("/somewhere/neurogen")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "neurogen"


def test_a_folder_is_built_once(tmp_path: Path) -> None:
    calls = []
    for _ in range(2):
        built(tmp_path / "a" / "set", lambda place: calls.append((place / "x").write_text("1")))
    assert len(calls) == 1 and (tmp_path / "a" / "set" / "x").read_text() == "1"


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(place: Path) -> None:
        (place / "half").write_text("1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        built(tmp_path / "set", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_build_is_made_anew(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, types; from pathlib import Path\n"
        "room = sys.modules['neurogen.data'] = types.ModuleType('neurogen.data')\n"  # spares the import of torch
        "room.__path__ = [sys.argv[2]]\n"
        "from neurogen.data.cache import built\n"
        "def build(place):\n"
        "    (place / 'half').write_text('1'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "built(Path(sys.argv[1]), build)\n"
    )
    room = str(Path(cache_module.__file__).parent)
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "set"), room], check=False)
    assert killed.returncode == -9 and not (tmp_path / "set").exists()
    built(tmp_path / "set", lambda place: (place / "whole").write_text("1") and None)
    assert [file.name for file in (tmp_path / "set").iterdir()] == ["whole"]


def test_what_a_killed_build_left_is_removed_after_a_day(tmp_path: Path) -> None:
    old, young = tmp_path / ".set.1.1.partial", tmp_path / ".set.2.2.partial"
    for folder in (old, young):
        folder.mkdir()
    past = time.time() - STALE_SECONDS - 60
    os.utime(old, (past, past))
    built(tmp_path / "set", lambda place: None)
    assert not old.exists() and young.exists()


def test_two_builders_at_once_both_get_the_whole_folder(tmp_path: Path) -> None:
    both = threading.Barrier(2)
    seen: list[str] = []

    def build(place: Path) -> None:
        both.wait(10)
        (place / "x").write_text("same")
        both.wait(10)

    def one() -> None:
        seen.append((built(tmp_path / "set", build) / "x").read_text())

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == ["same", "same"] and [file.name for file in tmp_path.iterdir()] == ["set"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    def fill(place: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(
        DataError, match=r"expected room for prepared data, No space left on device; set \$NEUROGEN_CACHE"
    ):
        built(tmp_path / "set", fill)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="expected room for prepared data"):
        built(tmp_path / "file" / "set", lambda place: None)


def test_the_key_follows_the_source_and_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"12345")
    os.utime(file, (1000, 1000))
    first = source_key(tmp_path, ["a.bin"], steps=4)
    assert source_key(tmp_path, ["a.bin"], steps=4) == first
    assert source_key(tmp_path, ["a.bin"], steps=5) != first
    os.utime(file, (1000, 1001))
    changed = source_key(tmp_path, ["a.bin"], steps=4)
    file.write_bytes(b"1234567890")
    os.utime(file, (1000, 1001))
    assert len({first, changed, source_key(tmp_path, ["a.bin"], steps=4)}) == 3
