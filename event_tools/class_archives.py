"""A set that lies as one archive a class, still packed, as CIFAR10-DVS is published: airplane.zip, bird.zip, ..."""

from __future__ import annotations

import copy
from pathlib import Path

from event_tools.archives import SUFFIXES, Files, files_at


class ClassArchives(Files):
    """The recordings in all archives of a folder; a name is the archive's, then the member's in it."""

    def __init__(self, path: Path, archives: dict[str, Files]) -> None:
        super().__init__(path)
        self.archives = archives

    def listed(self) -> list[str]:
        return [f"{archive}/{name}" for archive, files in self.archives.items() for name in files.listed()]

    def data(self, name: str) -> bytes:
        archive, _, member = name.partition("/")
        return self.archives[archive].data(member)

    def __copy__(self) -> ClassArchives:
        return ClassArchives(self.path, {name: copy.copy(files) for name, files in self.archives.items()})


def class_archives(folder: Path) -> ClassArchives | None:
    """The archives of a folder, by name; None where there is none. Raises EventFileError once they are read."""
    places = sorted(entry for entry in folder.iterdir() if entry.is_file() and entry.name.lower().endswith(SUFFIXES))
    found = {place.name: files_at(place) for place in places if not place.name.startswith(".")}
    return ClassArchives(folder, found) if found else None
