"""Files and folders that appear whole or not at all: written beside their name, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from event_tools.errors import EventFileError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder; renamed over `path` on success, removed on any failure.

    A symbolic link is followed, what it names is replaced. Raises FileNotFoundError for a folder that is not there,
    FileExistsError where `path` is no regular file.
    """
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {path.parent}", str(path))
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "a folder, a pipe or a device has that name", str(path))
    temporary = _beside(path)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """`replacing` that answers with EventFileError where the disk refuses."""
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EventFileError(path, f"it cannot be written, {reason}; free space or choose another place") from None


@contextmanager
def filling(folder: str | Path) -> Iterator[Path]:
    """Yields a new folder beside `folder`, whose parents are made; it takes that name on success, else it is removed.

    `folder` must be absent or empty: OSError at the end where it is not.
    """
    folder = Path(folder)
    temporary = _beside(folder)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if folder.is_dir():
            folder.rmdir()
        os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:200]}.{os.getpid()}.{threading.get_ident():x}.partial")
