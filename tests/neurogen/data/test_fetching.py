"""Downloads: only when asked, whole or not at all, refused in one sentence. No network here: fetchers are stand-ins."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from neurogen.data import DataError, cifar, fetching, open_data
from neurogen.data.places import find_path
from tests.neurogen.data.image_sets import celeba, cifar10, mnist, set_config
from tests.neurogen.data.sets import recordings


@pytest.fixture(autouse=True)
def nothing_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEUROGEN_DATA", raising=False)


def torchvision(monkeypatch: pytest.MonkeyPatch, **loaders: Callable[..., Any]) -> None:
    datasets = SimpleNamespace(**loaders)
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(datasets=datasets))


@pytest.mark.parametrize(("name", "kind"), [("mnist", "MNIST"), ("fashion", "FashionMNIST")])
def test_torchvision_fetches_once(name: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def loader(root: str, download: bool) -> None:
        calls.append(download)
        mnist(Path(root) / kind / "raw")

    torchvision(monkeypatch, **{kind: loader})
    for download in (True, True, False):  # what was fetched is used without being asked
        config = set_config(name, None, channels=1, resolution=28, download=download)
        assert len(open_data(config, 2, "train")) == 12
    assert calls == [True]


def test_the_binary_version_of_cifar10_is_fetched_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def download(url: str, root: str, md5: str, remove_finished: bool) -> None:
        seen.append((url.rsplit("/", 1)[1], len(md5), remove_finished))
        cifar10(Path(root) / "cifar-10-batches-bin", 4)

    tools = SimpleNamespace(download_and_extract_archive=download)
    monkeypatch.setattr(cifar, "IMAGES", 4)
    monkeypatch.setitem(sys.modules, "torchvision.datasets.utils", tools)
    assert len(open_data(set_config("cifar10", None, download=True), 2, "test")) == 4
    assert seen == [("cifar-10-binary.tar.gz", 32, True)]


def test_celeba_is_fetched_by_torchvision_with_gdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gdown", SimpleNamespace())
    torchvision(monkeypatch, CelebA=lambda root, download: celeba(Path(root) / "celeba"))
    assert len(open_data(set_config("celeba", None, download=True), 2, "train")) == 10


def test_celeba_without_gdown_names_the_pip_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(
        DataError, match=r"celeba needs the package gdown to be downloaded; pip install 'neurogen\[celeb"
    ):
        find_path(set_config("celeba", None, download=True))
    assert not list(cache.rglob("celeba"))


def test_a_refusal_of_google_drive_is_one_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(root: str, download: bool) -> None:
        celeba(Path(root) / "celeba")
        raise type("FileURLRetrievalError", (Exception,), {})("\nToo many users have viewed this file.\n\nTry later.\n")

    monkeypatch.setitem(sys.modules, "gdown", SimpleNamespace())
    torchvision(monkeypatch, CelebA=refused)
    said = (
        r"celeba could not be downloaded \(Too many users have viewed this file\); fetch it yourself and set data.path$"
    )
    with pytest.raises(DataError, match=said):
        find_path(set_config("celeba", None, download=True))
    assert list((cache / "fetched").iterdir()) == []


def test_an_interrupted_download_leaves_nothing_and_may_be_repeated(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(root: str, download: bool) -> None:
        mnist(Path(root) / "MNIST" / "raw")
        raise KeyboardInterrupt

    config = set_config("mnist", None, channels=1, resolution=28, download=True)
    torchvision(monkeypatch, MNIST=interrupted)
    with pytest.raises(KeyboardInterrupt):
        find_path(config)
    assert list((cache / "fetched").iterdir()) == []
    torchvision(monkeypatch, MNIST=lambda root, download: mnist(Path(root) / "MNIST" / "raw"))
    assert find_path(config) == fetching.fetched_place("mnist")


def test_tonic_fetches_both_splits_of_n_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    def loader(root: str, train: bool) -> None:
        recordings(Path(root) / "NMNIST" / ("Train" if train else "Test"), {"0": 3 if train else 1})

    monkeypatch.setitem(sys.modules, "tonic", SimpleNamespace(datasets=SimpleNamespace(NMNIST=loader)))
    config = set_config("nmnist", None, channels=2, download=True)
    assert [len(open_data(config, 2, split)) for split in ("train", "test")] == [3, 1]


@pytest.mark.parametrize("name", ["nmnist", "dvs_cifar10"])
def test_recordings_without_tonic_name_the_pip_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tonic", None)
    with pytest.raises(DataError, match=r"needs the package tonic to be downloaded; pip install 'neurogen\[tonic\]'"):
        find_path(set_config(name, None, channels=2, download=True))


@pytest.mark.parametrize(
    ("name", "place"),
    [("lsun_bedroom", "kaggle.com"), ("lsun_church", "github.com/fyu/lsun"), ("celeba_hq", "CelebAMask-HQ")],
)
def test_what_cannot_be_fetched_says_where_to_get_it(name: str, place: str) -> None:
    with pytest.raises(DataError, match=rf"expected {name} to be there, it cannot be downloaded from here.*{place}"):
        find_path(set_config(name, None, download=True))
    with pytest.raises(DataError, match=rf"expected {name} in .*, found none; put it there or set data.path .*{place}"):
        find_path(set_config(name, None))


@pytest.mark.parametrize("name", ["mnist", "cifar10", "celeba", "nmnist", "dvs_cifar10"])
def test_nothing_is_fetched_unless_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fetching.FETCHERS, name, lambda place: pytest.fail("fetched"))
    with pytest.raises(DataError, match=r"found none; put it there or set .*data\.download=true$"):
        find_path(set_config(name, None, channels={"mnist": 1, "cifar10": 3, "celeba": 3}.get(name, 2)))
