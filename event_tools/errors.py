"""The one error of this package."""

from __future__ import annotations

from pathlib import Path


class EventFileError(ValueError):
    """A recording that cannot be read or written; one sentence with the file and, where known, the byte."""

    def __init__(self, path: str | Path, reason: str, offset: int | None = None) -> None:
        place = f" at byte {offset}" if offset is not None else ""
        super().__init__(f"{path}{place}: {reason}")
        self.path, self.reason, self.offset = Path(path), reason, offset

    def __reduce__(self) -> tuple[object, ...]:
        return (EventFileError, (self.path, self.reason, self.offset))
