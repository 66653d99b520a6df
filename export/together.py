"""Files that belong together are written beside their places and put there one after another: all of them, or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path


def write_together(writers: Mapping[Path, Callable[[Path], None]]) -> None:
    """Calls each writer with a temporary path in the file's folder; only when all have written do the files appear.

    What was there before is replaced, or stays if anything fails.
    """
    fresh: dict[Path, Path] = {}
    old: dict[Path, Path] = {}
    placed: list[Path] = []
    try:
        for path, write in writers.items():
            fresh[path] = _beside(path)
            write(fresh[path])
            os.chmod(fresh[path], 0o666 & ~_umask())
        for path in writers:
            if path.is_dir():
                raise IsADirectoryError(f"{path} is a folder, a file was to be written there; give another name")
            if path.exists():
                old[path] = _beside(path)
                os.replace(path, old[path])
            os.replace(fresh[path], path)
            placed.append(path)
    except BaseException:
        for path in placed:
            path.unlink()
        for path, saved in old.items():
            if saved.exists():
                os.replace(saved, path)
        raise
    finally:
        for path in (*fresh.values(), *old.values()):
            path.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    """A new empty file in the same folder."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is no folder; make it before a file is written into it")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    return Path(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
