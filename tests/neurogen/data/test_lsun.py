"""LSUN: folders, archives and LMDBs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from neurogen.data import DataError, lsun, open_data
from tests.neurogen.data.image_sets import packed, rooms, set_config

PICTURES = "lsun_bedroom"


class Reading(dict[bytes, bytes]):
    """What a transaction of lmdb can do, over files whose names are the keys."""

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: Any) -> None: ...

    def cursor(self) -> Reading:
        return self

    def iternext(self, values: bool) -> Iterator[bytes]:
        return iter(sorted(self))


class FakeError(Exception):
    pass


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package lmdb whose database is a folder of pictures and a file data.mdb."""

    def environment(path: str, **settings: Any) -> Any:
        assert settings["readonly"] and not settings["lock"]
        if (Path(path) / "data.mdb").read_bytes() != b"lmdb":
            raise FakeError("MDB_INVALID: File is not an LMDB file")
        entries = {file.stem.encode(): file.read_bytes() for file in Path(path).rglob("*.png")}
        return SimpleNamespace(begin=lambda: Reading(entries))

    monkeypatch.setitem(sys.modules, "lmdb", SimpleNamespace(open=environment, Error=FakeError))


def database(folder: Path, count: int) -> Path:
    rooms(folder, count)
    (folder / "data.mdb").write_bytes(b"lmdb")
    return folder


def test_pictures_of_any_depth_are_one_class(tmp_path: Path) -> None:
    data = open_data(set_config("lsun_bedroom", rooms(tmp_path, 20)), 2, "train")
    assert len(data) == 18 and data.classes == ("bedroom",) and data.pixels.shape == (18, 3, 32, 32)


def test_an_archive_holds_the_same_pictures_as_the_folder(tmp_path: Path) -> None:
    folder = rooms(tmp_path / "bedroom", 10)
    archive = packed(folder, tmp_path / "archive.zip")
    one, other = (open_data(set_config("lsun_bedroom", path), 2, "train") for path in (folder, archive))
    assert np.array_equal(one.pixels, other.pixels)


def test_so_many_are_held_out_for_testing_as_lsuns_own_validation_set_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurogen.data import opening

    monkeypatch.setitem(opening.MOST_TESTS, "lsun_bedroom", 2)
    config = set_config("lsun_bedroom", rooms(tmp_path, 40))
    train, test = (open_data(config, 2, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (38, 2) and not set(train.index) & set(test.index)
    assert lsun.TESTS == 300


def test_databases_have_the_official_split(tmp_path: Path, stand_in: None) -> None:
    database(tmp_path / "church_outdoor_train_lmdb", 7)
    database(tmp_path / "church_outdoor_val_lmdb", 3)
    config = set_config("lsun_church", tmp_path)
    assert [len(open_data(config, 2, split)) for split in ("train", "test")] == [7, 3]


def test_a_database_gives_the_pictures_of_its_keys_in_order(tmp_path: Path, stand_in: None) -> None:
    folder = database(tmp_path / "db" / "bedroom_train_lmdb", 12)
    ordered = rooms(tmp_path / "same", 12)
    for file in sorted(ordered.rglob("*.png")):
        file.rename(ordered / file.name)  # in the order of the keys
    config = set_config("lsun_bedroom", folder.parent)
    same = open_data(set_config("lsun_bedroom", ordered), 2, "train").pixels
    assert np.array_equal(open_data(config, 2, "train").pixels, same)
    assert np.array_equal(open_data(set_config("lsun_bedroom", folder), 2, "train").pixels, same)


def test_a_missing_package_is_named_with_its_pip_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database(tmp_path / "bedroom_train_lmdb", 12)
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(
        DataError, match=r"expected the package lmdb to read it, found none; pip install 'neurogen\[lsu"
    ):
        open_data(set_config("lsun_bedroom", tmp_path), 2, "train")


def test_a_damaged_database_is_refused(tmp_path: Path, stand_in: None) -> None:
    (database(tmp_path / "bedroom_train_lmdb", 1) / "data.mdb").write_bytes(b"half")
    with pytest.raises(DataError, match=r"bedroom_train_lmdb: expected an LMDB of pictures, MDB_INVALID"):
        open_data(set_config("lsun_bedroom", tmp_path), 2, "train")
    (tmp_path / "bedroom_train_lmdb" / "data.mdb").unlink()
    with pytest.raises(DataError, match=r"expected data.mdb of an LMDB of pictures, found none"):
        open_data(set_config("lsun_bedroom", tmp_path), 2, "train")


def test_a_folder_with_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected church_outdoor_train_lmdb, or a folder or .zip of pictures, found"):
        open_data(set_config("lsun_church", tmp_path), 2, "train")


def test_a_real_database_is_read(tmp_path: Path) -> None:
    real = pytest.importorskip("lmdb", reason="needs the package lmdb")
    folder = tmp_path / "bedroom_train_lmdb"
    ordered = rooms(tmp_path / "same", 12)
    environment = real.open(str(folder), map_size=1 << 24)
    with environment.begin(write=True) as writing:
        for file in ordered.rglob("*.png"):
            writing.put(file.stem.encode(), file.read_bytes())
    environment.close()
    for file in sorted(ordered.rglob("*.png")):
        file.rename(ordered / file.name)
    same = open_data(set_config("lsun_bedroom", ordered), 2, "train").pixels
    assert np.array_equal(open_data(set_config("lsun_bedroom", tmp_path), 2, "train").pixels, same)
