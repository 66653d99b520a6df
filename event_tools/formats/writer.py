"""What a format's writer is to `files.py`: it takes a recording in parts, then finishes the file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from event_tools.events import Events
from event_tools.provenance import Plain


@dataclass(frozen=True)
class Writing:
    """How a file is to be written; None means that nothing was said. `write` says what each is."""

    compression: str | None = None
    layout: str | None = None
    convention: str | None = None
    camera: str | None = None
    time_unit: str | None = None
    endianness: str | None = None
    provenance: Mapping[str, Plain] = field(default_factory=dict)


class Writer(ABC):
    """Parts come in order of time, of one sensor. The bytes do not depend on where a recording was divided."""

    @abstractmethod
    def add(self, events: Events) -> None:
        """Take the next part; raises EventFileError for what the format cannot hold."""

    def finish(self) -> None:  # noqa: B027
        """Write what remains: called once, after the last part."""

    def close(self) -> None:  # noqa: B027
        """Let go of what is held; called at the end, after a failure too."""
