"""Where data are looked for."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from neurogen.config import DataConfig
from neurogen.data import DataError, places
from neurogen.data.places import archive_of_split, find_path
from tests.neurogen.data.sets import recordings, zipped


def nmnist(**more: object) -> DataConfig:
    return DataConfig(**{"name": "nmnist"} | more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["n-mnist", "N-MNIST", "NMNIST"])
def test_n_mnist_is_found_below_the_environments_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("NEUROGEN_DATA", str(tmp_path))
    recordings(tmp_path / name, {"Train/0": 1})
    assert find_path(nmnist()) == tmp_path / name


def test_n_mnist_may_be_an_archive_beside_or_inside_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_DATA", str(tmp_path / "data"))
    source = recordings(tmp_path / "set", {"Train/0": 1})
    beside = zipped(source, tmp_path / "data" / "N-MNIST.zip")
    assert find_path(nmnist()) == beside
    inside = zipped(source, tmp_path / "data" / "n-mnist" / "anything.zip")
    assert find_path(nmnist()) == inside


def test_the_cache_is_looked_at_after_the_environments_folder(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROGEN_DATA", str(tmp_path))
    in_cache = recordings(cache / "data" / "n-mnist", {"Train/0": 1})
    assert find_path(nmnist()) == in_cache
    assert find_path(nmnist(path=None)) == in_cache
    assert find_path(nmnist()) != (own := recordings(tmp_path / "n-mnist", {"Train/0": 1}))
    assert find_path(nmnist()) == own


def test_a_path_that_was_asked_for_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_DATA", str(tmp_path))
    recordings(tmp_path / "n-mnist", {"Train/0": 1})
    own = recordings(tmp_path / "own", {"Train/0": 1})
    assert find_path(nmnist(path=str(own))) == own


def test_packed_splits_are_no_archive_of_the_whole(tmp_path: Path) -> None:
    source = recordings(tmp_path / "set", {"Train/0": 1, "Test/0": 1})
    archive = zipped(source, tmp_path / "packed" / "Train.zip", "Train")
    assert find_path(nmnist(path=str(tmp_path / "packed"))) == tmp_path / "packed"
    assert archive_of_split(tmp_path / "packed", "train") == archive
    assert archive_of_split(tmp_path / "packed", "test") == tmp_path / "packed"
    assert archive_of_split(source, "train") == source


def test_nothing_to_be_found_says_where_to_put_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEUROGEN_DATA", raising=False)
    with pytest.raises(
        DataError,
        match=rf"expected nmnist in {cache}/data/n-mnist, found none; put it there or set data\.path to a folder or",
    ):
        find_path(nmnist())


@pytest.mark.parametrize("name", ["images", "recordings"])
def test_an_own_data_set_needs_a_path(name: str) -> None:
    with pytest.raises(DataError, match=rf"expected data.path for data.name={name}"):
        find_path(nmnist(name=name, channels=3 if name == "images" else 2))


def test_a_download_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEUROGEN_DATA", raising=False)

    def unreachable(root: str, download: bool) -> None:
        raise OSError("no route to host")

    loaders = SimpleNamespace(MNIST=unreachable, FashionMNIST=unreachable)
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(datasets=loaders))
    with pytest.raises(DataError, match=r"mnist could not be downloaded \(no route to host\); fetch it yourself and"):
        find_path(DataConfig(name="mnist", channels=1, resolution=28, fit="none", download=True))


def test_nothing_is_downloaded_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEUROGEN_DATA", raising=False)
    monkeypatch.setattr(places, "fetch", lambda name: pytest.fail(f"downloaded {name}"))
    with pytest.raises(DataError, match=r"data\.download=true"):
        find_path(DataConfig(name="fashion", channels=1, resolution=28, fit="none"))
