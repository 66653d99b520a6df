"""Where compiled code is kept when neither the package nor the user's cache may be written."""

from __future__ import annotations

import os
from pathlib import Path

import numba
import pytest

from event_tools import kernels


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr("atexit.register", lambda *_, **__: None)


def test_a_private_folder_that_other_processes_find_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernels, "_writable", lambda place: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    kernels.choose_cache()
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert numba.config.CACHE_DIR == os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_nothing_is_chosen_where_numba_finds_a_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(kernels, "_writable", lambda place: asked.append(place) or True)
    kernels.choose_cache()
    assert numba.config.CACHE_DIR == "" and len(asked) == 1
    assert asked[0] == Path(kernels.__file__).parent / "__pycache__"


def test_a_folder_that_cannot_be_made_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert kernels._writable(tmp_path / "new")
    assert not kernels._writable(tmp_path / "file" / "new")
