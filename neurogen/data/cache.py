"""Where prepared data lies, and folders that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def cache_dir() -> Path:
    """$NEUROGEN_CACHE, else $XDG_CACHE_HOME/neurogen, else ~/.cache/neurogen."""
    if chosen := os.environ.get("NEUROGEN_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neurogen"


def source_key(path: Path, **settings: Any) -> str:
    """A key that changes with the source (path, size and time of every file) and with the settings."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    stamps = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    text = json.dumps([stamps, settings], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def built(folder: Path, build: Callable[[Path], None]) -> Path:
    """`folder`, built if absent: filled beside its name, then renamed. Building it twice at once is harmless."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        build(partial)
        try:
            os.replace(partial, folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
