"""The layouts of single recordings in HDF5, each found by its structure.

    DSEC        events/{p, t, x, y} [us], ms_to_idx, t_offset      dsec.ifi.uzh.ch, data format
    rpg         events/{xs, ys, ts, ps} [s], sensor_resolution     TimoStoff/event_utils, E2VID
    M3ED        prophesee/<camera>/{x, y, t, p} [us], ms_map_idx, calib/resolution     m3ed.io
    Prophesee   CD/events: compound x, y, p, t [us]; usually ECF   docs.prophesee.ai, HDF5 event files
    v2e         events (N, 4): t [us], x, y, p                     SensorsINI/v2e
    MVSEC       davis/<camera>/events (N, 4): x, y, t [s], p       daniilidis-group.github.io/mvsec
    tonic       data/0: structured t, x, y, p [us], target/0       neuromorphs/tonic, DiskCachedDataset
    raw_events  raw_events/{x, y, t, p} [s]                        shiba24/event-vision-library
    columns     {x, y, t, p} at the top

sensor_resolution comes as (height, width) and as (width, height); cameras are wide, so the larger one is the width.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from event_tools.errors import EventFileError
from event_tools.formats.hdf5_column import Column
from event_tools.formats.hdf5_file import H5_ERRORS, Hdf5
from event_tools.formats.hdf5_rows import Field, Layout

NAMES = ("t", "x", "y", "p")
LONGEST_SIDE = 65536


def find_layout(h5: Hdf5, member: str | None) -> Layout | None:
    """The layout of the recording in a file, None where it has none of these; member: which camera's."""
    for find in (_dsec, _rpg, _table, _prophesee, _tonic, _raw_events, _top):
        if (layout := find(h5)) is not None:
            if member is not None:
                raise EventFileError(h5.path, f"it holds one recording ({layout.version}); leave member out")
            return layout
    for find in (_m3ed, _mvsec):
        if (layout := find(h5, member)) is not None:
            return layout
    return None


def _dsec(h5: Hdf5) -> Layout | None:
    group = h5.group("events", *NAMES)
    if group is None:
        return None
    offset = h5.small("t_offset", 1)
    shift = 0 if offset is None else int(np.asarray(offset).reshape(()))
    size = size_told(h5, h5.root, group)
    fields, index = _columns(h5, group), partial(_index, h5, "ms_to_idx")
    return Layout("DSEC", fields, shift, index, size, provenance=h5.provenance())


def _rpg(h5: Hdf5) -> Layout | None:
    group = h5.group("events", "ts", "xs", "ys", "ps")
    if group is None:
        return None
    size = size_told(h5, h5.root, group)
    return Layout("rpg", _columns(h5, group, "s"), sensor_size=size, provenance=h5.provenance())


def _table(h5: Hdf5) -> Layout | None:
    """v2e's one table of whole numbers."""
    dataset = h5.dataset("events")
    if dataset is None or dataset.ndim != 2 or dataset.shape[1] != 4:
        return None
    return Layout("v2e", _table_fields(h5, dataset, "txyp"), sensor_size=size_told(h5, h5.root, dataset))


def _prophesee(h5: Hdf5) -> Layout | None:
    dataset = h5.dataset("CD/events")
    if dataset is None:
        return None
    size = size_told(h5, h5.root, h5.find("CD"), dataset)
    triggers = h5.dataset("EXT_TRIGGER/events")
    streams = {} if triggers is None or triggers.ndim != 1 else {"triggers": len(triggers)}
    return Layout("Prophesee CD", _compound(h5, dataset), sensor_size=size, streams=streams)


def _tonic(h5: Hdf5) -> Layout | None:
    dataset = h5.dataset("data/0")
    if dataset is None or h5.find("target") is None:
        return None
    if not dataset.dtype.names:
        raise EventFileError(h5.path, "expected events in this cache of tonic's, data/0 holds frames or other arrays")
    return Layout("tonic cache", _compound(h5, dataset))


def _raw_events(h5: Hdf5) -> Layout | None:
    if (group := h5.group("raw_events", *NAMES)) is None:
        return None
    return Layout("raw_events", _columns(h5, group), sensor_size=size_told(h5, h5.root))


def _top(h5: Hdf5) -> Layout | None:
    if (group := h5.group("", *NAMES)) is None:
        return None
    return Layout("columns", _columns(h5, group), sensor_size=size_told(h5, h5.root))


def _m3ed(h5: Hdf5, member: str | None) -> Layout | None:
    camera = _camera(h5, "prophesee", member, lambda place: h5.group(place, *NAMES) is not None)
    if camera is None:
        return None
    resolution = h5.small(f"{camera}/calib/resolution", 2)
    size = None if resolution is None else checked_size(h5, *np.asarray(resolution).reshape(-1)[:2])
    group = h5.find(camera)
    size = size or size_told(h5, group)
    index = partial(_index, h5, f"{camera}/ms_map_idx")
    return Layout(f"M3ED {camera}", _columns(h5, group), index=index, sensor_size=size)


def _mvsec(h5: Hdf5, member: str | None) -> Layout | None:
    def is_table(place: str) -> bool:
        dataset = h5.dataset(f"{place}/events")
        return dataset is not None and dataset.ndim == 2 and dataset.shape[1] == 4

    camera = _camera(h5, "davis", member, is_table)
    if camera is None:
        return None
    return Layout(f"MVSEC {camera}", _table_fields(h5, h5.dataset(f"{camera}/events"), "xytp"), sensor_size=(346, 260))


def _camera(h5: Hdf5, above: str, member: str | None, holds: Callable[[str], bool]) -> str | None:
    """The place of the one camera there is, of `member`, or of the left one."""
    group = h5.group(above)
    if group is None:
        return None
    cameras = [name for name, _ in zip(group, range(64), strict=False) if holds(f"{above}/{name}")]
    if not cameras:
        return None
    if member is None:
        return f"{above}/{'left' if 'left' in cameras else cameras[0]}"
    wanted = member.removeprefix(f"{above}/")
    if wanted not in cameras:
        raise EventFileError(h5.path, f"expected member to be a camera of {', '.join(cameras)}, got {member!r}")
    return f"{above}/{wanted}"


def _columns(h5: Hdf5, group: Any, suffix: str = "") -> dict[str, Field]:
    return {name: Field(_column(h5, group, f"{name}{suffix}")) for name in NAMES}


def _column(h5: Hdf5, group: Any, name: str) -> Column:
    dataset = h5.dataset(name, group)
    if dataset is None or dataset.ndim != 1 or dataset.dtype.kind not in "iufb":
        place = f"{group.name}/{name}".lstrip("/")
        raise EventFileError(h5.path, f"expected {place} to be a row of numbers")
    return Column(h5, dataset)


def _table_fields(h5: Hdf5, dataset: Any, order: str) -> dict[str, Field]:
    if dataset.dtype.kind not in "iuf":
        raise EventFileError(h5.path, f"expected {dataset.name.lstrip('/')} to hold numbers, got {dataset.dtype}")
    column = Column(h5, dataset)
    return {name: Field(column, i) for i, name in enumerate(order)}


def _compound(h5: Hdf5, dataset: Any) -> dict[str, Field]:
    """The fields of events that lie one record after the other; y and p may be missing, as in sets of one dimension."""
    names = dataset.dtype.names or ()
    plain = all(dataset.dtype[name].kind in "iufb" for name in names)
    if dataset.ndim != 1 or not plain or not {"t", "x"} <= set(names):
        raise EventFileError(h5.path, f"expected {dataset.name.lstrip('/')} to hold records of t, x, y, p")
    column = Column(h5, dataset)
    return {name: Field(column, name) for name in NAMES if name in names}


def _index(h5: Hdf5, place: str) -> Column | None:
    """The millisecond index; one that cannot be read is done without."""
    try:
        dataset = h5.dataset(place)
        good = dataset is not None and dataset.ndim == 1 and dataset.dtype.kind in "iu"
        return Column(h5, dataset) if good else None
    except H5_ERRORS:  # EventFileError among them
        return None


def size_told(h5: Hdf5, *holders: Any) -> tuple[int, int] | None:
    """(width, height) by attributes of the first that has them: width and height, geometry "WxH", sensor_resolution."""
    for holder in holders:
        width, height = h5.told(holder, "width"), h5.told(holder, "height")
        if width is not None and height is not None:
            return checked_size(h5, width, height)
        if (geometry := h5.told(holder, "geometry")) is not None:
            text = geometry.decode("ascii", "replace") if isinstance(geometry, bytes) else str(geometry)
            width, cross, height = text.partition("x")
            if cross and width.isdecimal() and height.isdecimal():
                return checked_size(h5, width, height)
        if (resolution := h5.told(holder, "sensor_resolution")) is not None:
            sides = np.asarray(resolution).reshape(-1)
            if len(sides) == 2 and sides.dtype.kind in "iuf":
                return checked_size(h5, sides.max(), sides.min())
    return None


def checked_size(h5: Hdf5, width: Any, height: Any) -> tuple[int, int]:
    """The two as whole numbers; raises EventFileError where no sensor has such sides."""
    sides = int(width), int(height)
    if not all(0 < side <= LONGEST_SIDE for side in sides):
        raise EventFileError(h5.path, f"expected a sensor of 1 to {LONGEST_SIDE} pixels a side, got {width}x{height}")
    return sides
