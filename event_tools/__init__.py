"""Address-event recordings: read, write, bin, place, simulate, measure and show. Needs neither torch nor a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_tools import augment, filters
    from event_tools.binning import to_frames
    from event_tools.errors import EventFileError
    from event_tools.events import Events, Frames
    from event_tools.files import FileInfo, info, iterate, read, write
    from event_tools.placing import to_events

_HOMES = {
    "EventFileError": "errors",
    "Events": "events",
    "FileInfo": "files",
    "Frames": "events",
    "info": "files",
    "iterate": "files",
    "read": "files",
    "to_events": "placing",
    "to_frames": "binning",
    "write": "files",
}

_ROOMS = ("augment", "filters")

__all__ = [
    "EventFileError",
    "Events",
    "FileInfo",
    "Frames",
    "augment",
    "filters",
    "info",
    "iterate",
    "read",
    "to_events",
    "to_frames",
    "write",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _HOMES or name in _ROOMS:
        from importlib import import_module

        room = import_module(f"event_tools.{_HOMES.get(name, name)}")
        return room if name in _ROOMS else getattr(room, name)
    raise AttributeError(f"module 'event_tools' has no attribute {name!r}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("neurogen")
    except PackageNotFoundError:
        return "0+unknown"
