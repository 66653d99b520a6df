"""Address-event recordings: read, write, bin, place, simulate, measure and show. Needs neither torch nor a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_tools import augment, filters
    from event_tools.binning import to_frames
    from event_tools.errors import EventFileError
    from event_tools.events import Events, Frames
    from event_tools.files import FileInfo, info, iterate, read, write
    from event_tools.images import count_image
    from event_tools.interop import from_spikingjelly, from_tonic, to_spikingjelly, to_tonic
    from event_tools.placing import to_events
    from event_tools.spikes import from_sparse, from_spikes, to_sparse, to_spikes
    from event_tools.surfaces import averaged_surfaces, last_times, time_surfaces
    from event_tools.tonic_transform import ToFrames, TonicFrames
    from event_tools.voxels import voxel_grid
    from event_tools.windows import tonic_frames

_HOMES = {
    "EventFileError": "errors",
    "Events": "events",
    "FileInfo": "files",
    "Frames": "events",
    "ToFrames": "tonic_transform",
    "TonicFrames": "tonic_transform",
    "averaged_surfaces": "surfaces",
    "count_image": "images",
    "from_sparse": "spikes",
    "from_spikes": "spikes",
    "from_spikingjelly": "interop",
    "from_tonic": "interop",
    "info": "files",
    "iterate": "files",
    "last_times": "surfaces",
    "read": "files",
    "time_surfaces": "surfaces",
    "to_events": "placing",
    "to_frames": "binning",
    "to_sparse": "spikes",
    "to_spikes": "spikes",
    "to_spikingjelly": "interop",
    "to_tonic": "interop",
    "tonic_frames": "windows",
    "voxel_grid": "voxels",
    "write": "files",
}

_ROOMS = ("augment", "filters")

__all__ = [
    "EventFileError",
    "Events",
    "FileInfo",
    "Frames",
    "ToFrames",
    "TonicFrames",
    "augment",
    "averaged_surfaces",
    "count_image",
    "filters",
    "from_sparse",
    "from_spikes",
    "from_spikingjelly",
    "from_tonic",
    "info",
    "iterate",
    "last_times",
    "read",
    "time_surfaces",
    "to_events",
    "to_frames",
    "to_sparse",
    "to_spikes",
    "to_spikingjelly",
    "to_tonic",
    "tonic_frames",
    "voxel_grid",
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
