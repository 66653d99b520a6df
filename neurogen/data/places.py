"""Where data lies: the path that was asked for, $NEUROGEN_DATA, the cache, or a download."""

from __future__ import annotations

import os
from pathlib import Path

from event_tools.datasets import SPLITS
from neurogen.config import DataConfig
from neurogen.data.cache import cache_dir
from neurogen.data.digits import digits_folder
from neurogen.data.errors import DataError

PLACES = {
    "nmnist": ("n-mnist", "N-MNIST", "NMNIST", "nmnist"),
    "mnist": ("mnist", "MNIST"),
    "fashion": ("fashion-mnist", "FashionMNIST", "fashion"),
    "dvs_cifar10": ("DVS-CIFAR10", "CIFAR10-DVS", "CIFAR10DVS", "cifar10-dvs", "dvs-cifar10"),
}
HINTS = {
    "nmnist": "data.path to a folder or .zip with Train/<label>/<n>.bin",
    "dvs_cifar10": "data.path to a folder with airplane/cifar10_airplane_0.aedat ... or airplane.zip ...",
}


def find_path(config: DataConfig) -> Path:
    """The folder or archive of a configuration's data; raises DataError where there is none."""
    if config.name == "digits" and config.path is None:
        return digits_folder()
    if config.path is not None:
        path = Path(config.path).expanduser()
        if not path.exists():
            raise DataError(f"expected data at data.path={config.path}, found nothing; correct the path")
        return _lone_archive(path)
    if config.name in ("images", "recordings"):
        raise DataError(f"expected data.path for data.name={config.name}: a folder with one subfolder per class")
    for root in _roots():
        for path in (root / place for place in PLACES[config.name]):
            for candidate in (path, path.with_name(f"{path.name}.zip")):
                if _holds_data(candidate, config.name):
                    return _lone_archive(candidate)
    if config.download and config.name in ("mnist", "fashion"):
        return _download(config.name)
    looked = " or ".join(str(root / PLACES[config.name][0]) for root in _roots())
    hint = HINTS.get(config.name, "data.download=true")
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
    if name not in ("nmnist", "dvs_cifar10"):
        return path.is_dir() and any(path.rglob("train-images*idx3-ubyte*"))
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _download(name: str) -> Path:
    from torchvision import datasets

    kind = {"mnist": datasets.MNIST, "fashion": datasets.FashionMNIST}[name]
    root = cache_dir() / "data"
    try:
        kind(str(root), download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{name} could not be downloaded ({error}); fetch it yourself and set data.path") from None
    return root / kind.__name__
