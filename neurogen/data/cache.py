"""Where prepared data lies, and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from neurogen.data.errors import DataError

STALE_SECONDS = 86_400  # a half-made folder this old belongs to a process that was killed
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def cache_dir() -> Path:
    """$NEUROGEN_CACHE, else $XDG_CACHE_HOME/neurogen, else ~/.cache/neurogen."""
    if chosen := os.environ.get("NEUROGEN_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neurogen"


def source_key(path: Path, names: Sequence[str] = (), **settings: Any) -> str:
    """A key that changes with the source and the settings.

    The source is path itself, or the files `names` below it; each by name, size and time of change.
    """
    root = os.path.realpath(path)
    digest = hashlib.sha256(json.dumps([root, settings], sort_keys=True, default=str).encode())
    for name in names or ("",):
        state = os.stat(os.path.join(root, name) if name else root)
        digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:24]


def built(folder: Path, build: Callable[[Path], None]) -> Path:
    """`folder`, built if absent: filled beside its name, then renamed.

    An interruption leaves nothing under that name; building it twice at once is harmless. Raises DataError for a disk
    that is full or cannot be written.
    """
    if folder.is_dir():
        return folder
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise _no_room(folder, error) from None
    try:
        _remove_stale(folder)
        build(partial)
        _settle(partial)
        try:
            os.replace(partial, folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _no_room(folder, error) from None
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _settle(folder: Path) -> None:
    """Have the files on the disk before the name says so."""
    for file in folder.iterdir():
        if file.is_file():
            with open(file, "rb+") as handle:
                os.fsync(handle.fileno())


def _remove_stale(folder: Path) -> None:
    for other in folder.parent.glob(f".{folder.name}.*.partial"):
        if time.time() - other.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


def _no_room(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"{folder}: expected room for prepared data, {error.strerror}; set $NEUROGEN_CACHE to another folder"
    )
