"""How independent projects write event files, one function each, for `event_files.py`.

Runs in a peer's own environment, as `peers.py`. A writer takes the path, t (us), x, y, p and the sensor's
(width, height).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from peers import Size

Writer = tuple[Callable[[str, Any, Any, Any, Any, Size], None], str]  # and the package it comes from


def _structured(t: Any, x: Any, y: Any, p: Any, dtype: Any) -> Any:
    events = np.empty(len(t), dtype)
    for name, column in zip(events.dtype.names, (t, x, y, p), strict=True):
        events[name] = column
    return events


def write_faery(version: str | None = None) -> Callable[[str, Any, Any, Any, Any, Size], None]:
    """zero_t0=False: its default moves the first event of DAT, EVT and ES files to t = 0."""

    def write(path: str, t: Any, x: Any, y: Any, p: Any, size: Size) -> None:
        import faery
        from faery.events_stream import EVENTS_DTYPE

        events = _structured(t, x, y, p, EVENTS_DTYPE)
        faery.events_stream_from_array(events, size).to_file(path, version=version, zero_t0=False)

    return write


def write_evutils(path: str, t: Any, x: Any, y: Any, p: Any, size: Size) -> None:
    from evutils.io import EventWriter
    from evutils.types import EventArray

    writer = EventWriter(path, *size)
    writer.write(EventArray(t, x, y, p))
    writer.close()


def write_evutils_evt2(path: str, t: Any, x: Any, y: Any, p: Any, size: Size) -> None:
    from evutils.io import EventWriter
    from evutils.io.encoders import EventEncoder_EVT
    from evutils.types import EventArray

    with open(path, "wb") as file:
        writer = EventWriter(file, *size, file_encoder=EventEncoder_EVT(file, *size, format="evt2"))
        writer.write(EventArray(t, x, y, p))
        writer.close()


def write_eventcv(path: str, t: Any, x: Any, y: Any, p: Any, size: Size) -> None:
    import eventcv

    table = np.stack((x, y, t, p), 1).astype(np.int64)
    eventcv.save(eventcv.from_numpy(table, sensor_size=size, time_unit="us"), path)


def write_expelliarmus(encoding: str) -> Callable[[str, Any, Any, Any, Any, Size], None]:
    def write(path: str, t: Any, x: Any, y: Any, p: Any, size: Size) -> None:
        from expelliarmus import Wizard

        events = _structured(t, x, y, p, [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "u1")])
        Wizard(encoding=encoding).save(path, events)

    return write


def write_event_stream(path: str, t: Any, x: Any, y: Any, p: Any, size: Size) -> None:
    import event_stream

    events = _structured(t, x, y, p, [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("on", "?")])
    with event_stream.Encoder(path, "dvs", *size) as encoder:
        encoder.write(events)


def write_evlib(path: str, t: Any, x: Any, y: Any, p: Any, size: Size) -> None:
    import evlib

    evlib.save_events_to_hdf5(x.astype(np.int64), y.astype(np.int64), t / 1e6, p.astype(np.int64), path)


def write_dv_processing(path: str, t: Any, x: Any, y: Any, p: Any, size: Size) -> None:
    """One call an event, which is all it offers."""
    import dv_processing as dv

    writer = dv.io.MonoCameraWriter(path, dv.io.MonoCameraWriter.EventOnlyConfig("peer", size))
    store = dv.EventStore()
    for row in zip(t.tolist(), x.tolist(), y.tolist(), p.astype(bool).tolist(), strict=True):
        store.push_back(*row)
    writer.writeEvents(store)


def write_numpy_npz(path: str, t: Any, x: Any, y: Any, p: Any, size: Size) -> None:
    np.savez(path, t=t, x=x, y=y, p=p)


def write_numpy_npy(path: str, t: Any, x: Any, y: Any, p: Any, size: Size) -> None:
    np.save(path, _structured(t, x, y, p, [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "u1")]))


WRITERS: dict[str, dict[str, Writer]] = {
    "aedat4": {
        "dv-processing": (write_dv_processing, "dv-processing"),
        "faery": (write_faery(), "faery"),
        "evutils": (write_evutils, "evutils"),
    },
    "hdf5 dsec": {"evutils": (write_evutils, "evutils"), "eventcv": (write_eventcv, "eventcv")},
    "hdf5 rpg": {"evlib": (write_evlib, "evlib")},
    "dat": {
        "faery": (write_faery(), "faery"),
        "evutils": (write_evutils, "evutils"),
        "expelliarmus": (write_expelliarmus("dat"), "expelliarmus"),
    },
    "evt2": {
        "faery": (write_faery("evt2"), "faery"),
        "evutils": (write_evutils_evt2, "evutils"),
        "expelliarmus": (write_expelliarmus("evt2"), "expelliarmus"),
    },
    "evt3": {
        "faery": (write_faery("evt3"), "faery"),
        "evutils": (write_evutils, "evutils"),
        "expelliarmus": (write_expelliarmus("evt3"), "expelliarmus"),
    },
    "es": {"faery": (write_faery(), "faery"), "event_stream": (write_event_stream, "event_stream")},
    "npz": {
        "numpy": (write_numpy_npz, "numpy"),
        "evutils": (write_evutils, "evutils"),
        "eventcv": (write_eventcv, "eventcv"),
    },
    "npy": {"numpy": (write_numpy_npy, "numpy")},
}
