"""Data sets that torchvision or tonic fetch when asked to, into a folder of the cache that appears whole or not at all.

CIFAR-10's binary version is not one of torchvision's data sets; its tools fetch and check it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from neurogen.data.cache import built, cache_dir
from neurogen.data.errors import DataError

CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
ELSEWHERE = {
    "celeba_hq": "github.com/switchablenorms/CelebAMask-HQ",
    "lsun_bedroom": "github.com/fyu/lsun (LMDB), or its 20 % from kaggle.com/datasets/jhoward/lsun_bedroom (pictures)",
    "lsun_church": "github.com/fyu/lsun (LMDB)",
}


def fetched_place(name: str) -> Path:
    """The folder that `fetch` makes of a data set."""
    return cache_dir() / "fetched" / name


def fetch(name: str) -> Path:
    """Download a data set unless that was done before; raises DataError."""
    if name in ELSEWHERE:
        raise DataError(
            f"expected {name} to be there, it cannot be downloaded from here; take it from {ELSEWHERE[name]} "
            f"and set data.path"
        )

    def build(place: Path) -> None:
        try:
            FETCHERS[name](place)
        except ImportError as error:
            pip = PIP.get(error.name or "", f"pip install {error.name}")
            raise DataError(f"{name} needs the package {error.name} to be downloaded; {pip}") from None
        except Exception as error:  # gdown and tonic have errors of their own
            raise DataError(
                f"{name} could not be downloaded ({_line(error)}); fetch it yourself and set data.path"
            ) from None

    return built(fetched_place(name), build) / INSIDE.get(name, "")


def _mnist(place: Path) -> None:
    from torchvision import datasets

    datasets.MNIST(str(place), download=True)


def _fashion(place: Path) -> None:
    from torchvision import datasets

    datasets.FashionMNIST(str(place), download=True)


def _cifar10(place: Path) -> None:
    from torchvision.datasets.utils import download_and_extract_archive

    download_and_extract_archive(CIFAR10_URL, str(place), md5=CIFAR10_MD5, remove_finished=True)


def _celeba(place: Path) -> None:
    import gdown  # noqa: F401  torchvision takes it for Google Drive
    from torchvision import datasets

    datasets.CelebA(str(place), download=True)


def _nmnist(place: Path) -> None:
    import tonic

    for train in (True, False):
        tonic.datasets.NMNIST(str(place), train=train)


def _dvs_cifar10(place: Path) -> None:
    import tonic

    tonic.datasets.CIFAR10DVS(str(place))


FETCHERS: dict[str, Callable[[Path], None]] = {
    "mnist": _mnist,
    "fashion": _fashion,
    "cifar10": _cifar10,
    "celeba": _celeba,
    "nmnist": _nmnist,
    "dvs_cifar10": _dvs_cifar10,
}
INSIDE = {"nmnist": "NMNIST"}  # where tonic puts the folders of its splits
PIP = {
    "gdown": "pip install 'neurogen[celeba]'",
    "tonic": "pip install 'neurogen[tonic]'",
}


def _line(error: Exception) -> str:
    """The first line of an error, without its full stop: gdown writes paragraphs."""
    return next((line.strip().rstrip(".:") for line in str(error).splitlines() if line.strip()), type(error).__name__)
