"""Where data lies: the path that was asked for, $NEUROGEN_DATA, the cache, or a download."""

from __future__ import annotations

import os
from pathlib import Path

from event_tools.datasets import SPLITS
from neurogen.config import RECORDINGS, DataConfig
from neurogen.data.cache import cache_dir
from neurogen.data.celeba import PARTITION
from neurogen.data.cifar import FOLDER as CIFAR10_FOLDER
from neurogen.data.digits import digits_folder
from neurogen.data.errors import DataError
from neurogen.data.fetching import ELSEWHERE, FETCHERS, fetch, fetched_place
from neurogen.data.lsun import CATEGORIES

PLACES = {
    "nmnist": ("n-mnist", "N-MNIST", "NMNIST", "nmnist"),
    "mnist": ("mnist", "MNIST"),
    "fashion": ("fashion-mnist", "FashionMNIST", "fashion"),
    "cifar10": ("cifar-10", "CIFAR10", "cifar10", "."),
    "celeba": ("celeba", "CelebA", "."),
    "celeba_hq": ("celeba-hq", "CelebA-HQ", "celeba_hq", "CelebAMask-HQ"),
    "lsun_bedroom": ("lsun-bedroom", "lsun_bedroom", "bedroom", "lsun", "LSUN"),
    "lsun_church": ("lsun-church", "lsun_church", "church", "church_outdoor", "lsun", "LSUN"),
    "dvs_cifar10": ("DVS-CIFAR10", "CIFAR10-DVS", "CIFAR10DVS", "cifar10-dvs", "dvs-cifar10"),
}
HINTS = {
    "nmnist": "data.path to a folder or .zip with Train/<label>/<n>.bin",
    "celeba": f"data.path to a folder with img_align_celeba and {PARTITION}",
    "celeba_hq": "data.path to a folder or .zip of its pictures",
    "lsun_bedroom": "data.path to a folder with bedroom_train_lmdb, or to a folder or .zip of pictures",
    "lsun_church": "data.path to a folder with church_outdoor_train_lmdb, or to a folder or .zip of pictures",
    "dvs_cifar10": "data.path to a folder with airplane/cifar10_airplane_0.aedat ... or airplane.zip ...",
}
ONE_ARCHIVE = (*RECORDINGS, "images", "celeba_hq", *CATEGORIES)  # data that one .zip may hold


def find_path(config: DataConfig) -> Path:
    """The folder or archive of a configuration's data; raises DataError where there is none."""
    if config.name == "digits" and config.path is None:
        return digits_folder()
    if config.path is not None:
        path = Path(config.path).expanduser()
        if not path.exists():
            raise DataError(f"expected data at data.path={config.path}, found nothing; correct the path")
        return _lone_archive(path) if config.name in ONE_ARCHIVE else path
    if config.name in ("images", "recordings"):
        raise DataError(f"expected data.path for data.name={config.name}: a folder with one subfolder per class")
    for root in _roots():
        for path in (root / place for place in PLACES[config.name]):
            for candidate in (path, path.with_name(f"{path.name}.zip")):
                if _holds_data(candidate, config.name):
                    return _lone_archive(candidate) if config.name in ONE_ARCHIVE else candidate
    if fetched_place(config.name).is_dir() or config.download:
        return fetch(config.name)
    looked = " or ".join(str(root / PLACES[config.name][0]) for root in _roots())
    hints = [HINTS[config.name]] if config.name in HINTS else []
    hints += ["data.download=true"] if config.name in FETCHERS else []
    hints += [f"(from {ELSEWHERE[config.name]})"] if config.name in ELSEWHERE else []
    hint = " or ".join(hints).replace(" or (", " (")
    raise DataError(f"expected {config.name} in {looked}, found none; put it there or set {hint}")


def archive_of_split(path: Path, split: str) -> Path:
    """Train.zip or Test.zip where a folder holds these still packed, as N-MNIST is published; else the path itself."""
    if path.is_dir() and not any((path / name).is_dir() for name in SPLITS[split]):
        for name in SPLITS[split]:
            if (path / f"{name}.zip").is_file():
                return path / f"{name}.zip"
    return path


def _roots() -> list[Path]:
    given = os.environ.get("NEUROGEN_DATA")
    return [*([Path(given)] if given else []), cache_dir() / "data"]


def _lone_archive(path: Path) -> Path:
    """The one .zip of a folder that holds nothing else to read."""
    if not path.is_dir():
        return path
    archives = [file for file in path.glob("*.zip") if file.stem.lower() not in ("train", "test")]
    folders = any(entry.is_dir() and not entry.name.startswith(".") for entry in path.iterdir())
    return archives[0] if len(archives) == 1 and not folders else path


def _holds_data(path: Path, name: str) -> bool:
    if name in ("mnist", "fashion"):
        return path.is_dir() and any(path.rglob("train-images*idx3-ubyte*"))
    if name == "cifar10":
        return any((path / below / "data_batch_1.bin").is_file() for below in ("", CIFAR10_FOLDER))
    if name == "celeba":
        return any((path / below / PARTITION).is_file() for below in ("", "celeba"))
    if name in CATEGORIES and path.name.lower() == "lsun":  # of every category
        return (path / f"{CATEGORIES[name]}_train_lmdb").is_dir()
    return path.is_file() or (path.is_dir() and any(path.iterdir()))
