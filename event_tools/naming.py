"""How labelled sets name their files: <split>/<label>/<file>, or <label>/<file>."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence

from event_tools.finding import SUFFIXES

TEXT = (".csv", ".txt")  # often notes and tables beside recordings
SPLITS = {"train": ("Train", "train"), "test": ("Test", "test")}


def is_recording(name: str) -> bool:
    """Whether a path below a set is a file of known suffix in a folder, and nothing on it is hidden."""
    parts = parts_of(name)
    hidden = any(part.startswith(".") for part in parts)
    return posixpath.splitext(name)[1].lower() in SUFFIXES and len(parts) >= 2 and not hidden


def without_notes(names: Sequence[str]) -> list[str]:
    """The names; those of text only where there is nothing else."""
    return [name for name in names if not name.lower().endswith(TEXT)] or list(names)


def split_of(name: str) -> str | None:
    """The split that a path is in, None where it is in none."""
    parts = parts_of(name)
    folder = parts[-3] if len(parts) >= 3 else None
    return next((split for split, spellings in SPLITS.items() if folder in spellings), None)


def label_of(name: str) -> str:
    """The folder that a file lies in."""
    return parts_of(name)[-2]


def chosen(names: Sequence[str], split: str | None) -> list[str]:
    """The names of a split; for None those of all splits where there are any, otherwise all names."""
    splits = {name: found for name in names if (found := split_of(name)) is not None}
    if split is None:
        return list(splits) or list(names)
    return [name for name in names if splits.get(name) == split]


def classes_of(names: Iterable[str]) -> tuple[str, ...]:
    """The labels of all names, numbers by value, then words."""
    return tuple(sorted({label_of(name) for name in names}, key=natural))


def natural(text: str) -> tuple[int, str]:
    """A sorting key that puts 2 before 10, and numbers before words."""
    number = posixpath.splitext(text)[0]
    return (int(number), text) if number.isascii() and number.isdigit() else (1 << 62, text)


def parts_of(name: str) -> list[str]:
    """The folders and the file of a path with forward slashes."""
    return [part for part in name.split("/") if part not in ("", ".")]
