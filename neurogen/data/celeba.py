"""CelebA and CelebA-HQ: faces, all of one class.

CelebA (Liu et al. 2015) as torchvision lays it out: celeba/img_align_celeba/ (or img_align_celeba.zip, read in place)
and list_eval_partition.txt beside it, the official split: 0 training (162,770), 1 validation (19,867, not used here),
2 test (19,962). Attributes and identities are not read.

CelebA-HQ (Karras et al. 2018): a folder or .zip of 30,000 pictures named by number. It came without a split; ours takes
one picture in ten for testing, by the fixed shuffle of `opening`. CelebAMask-HQ's README goes by the parts of the
CelebA pictures they were made of instead; its mapping file is not read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurogen.config import DataConfig
from neurogen.data.decoding import decoded_pixels
from neurogen.data.errors import DataError
from neurogen.data.images import ImageData
from neurogen.data.picture_files import FolderFiles, ZipFiles, picture_files

PARTITION = "list_eval_partition.txt"
PICTURES = "img_align_celeba"
PARTS = {"train": "0", "test": "2"}
CLASSES = ("face",)
HQ_FOLDER = "CelebA-HQ-img"  # of CelebAMask-HQ, which has masks beside it


def open_celeba(config: DataConfig, path: Path, split: str) -> ImageData:
    """The official training or test pictures; raises DataError."""
    folder = path / "celeba" if (path / "celeba").is_dir() else path
    source = folder / PICTURES
    if not source.is_dir() and not (source := folder / f"{PICTURES}.zip").is_file():
        raise DataError(
            f"{folder}: expected {PICTURES} or {PICTURES}.zip, found neither; set data.path to their folder"
        )
    everything = picture_files(source)
    parts = _partition(folder / PARTITION)
    present = {name.split("/")[-1]: name for name in everything.names}
    if len(present) != len(parts) or (missing := next((name for name in parts if name not in present), None)):
        what = f"{len(present)} pictures" if len(present) != len(parts) else f"no {missing}"
        raise DataError(
            f"{source}: expected the {len(parts)} pictures that {PARTITION} lists, got {what}; take a fresh copy"
        )
    return _faces([present[name] for name, part in parts.items() if part == PARTS[split]], everything, config)


def open_celeba_hq(config: DataConfig, path: Path) -> ImageData:
    """All pictures, in the order of their numbers; raises DataError."""
    everything = picture_files(path / HQ_FOLDER if (path / HQ_FOLDER).is_dir() else path)
    if not len(everything):
        raise DataError(f"{path}: expected the pictures of CelebA-HQ in a folder or .zip, found none")
    return _faces(sorted(everything.names, key=_number), everything, config)


def _faces(names: list[str], files: FolderFiles | ZipFiles, config: DataConfig) -> ImageData:
    chosen = type(files)(files.path, tuple(names))
    return ImageData.whole(decoded_pixels(chosen, config), np.zeros(len(chosen), np.int64), CLASSES, config)


def _number(name: str) -> tuple[int, str]:
    stem = Path(name).stem
    return (int(stem) if stem.isdecimal() else 1 << 62), name


def _partition(file: Path) -> dict[str, str]:
    """Part ("0", "1" or "2") of each picture, in the order of the file; raises DataError."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        raise DataError(
            f"{file.parent}: expected {PARTITION}, which says what is for training, found none; fetch it too"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: expected a picture and its part a line, {error}") from None
    parts: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or words[1] not in ("0", "1", "2") or words[0] in parts:
            raise DataError(
                f"{file}: expected a new picture's name and its part (0, 1 or 2), line {number} has {line!r}; "
                f"take a fresh copy of it"
            )
        parts[words[0]] = words[1]
    return parts
