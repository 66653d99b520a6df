"""Files that appear whole or not at all: written beside their name, then renamed."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    temporary = path.with_name(f".{path.name[:200]}.{os.getpid()}.{threading.get_ident():x}.partial")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
