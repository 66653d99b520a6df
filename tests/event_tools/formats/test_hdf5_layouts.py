"""HDF5 in the layouts of others, each made by h5py alone: found by structure, exact, with cameras, sensors, windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from event_tools import EventFileError, Events, info, read, write
from event_tools.formats.hdf5_values import BadRow, coordinates, microseconds, polarities
from tests.data import data_path

T, X, Y, P = [5, 1000, 1000, 2500], [1, 33, 0, 7], [2, 0, 33, 7], [1, 0, 1, 0]
EVENTS = Events(T, X, Y, P, (34, 34))
SIGNED = [1, -1, 1, -1]


def columns(kinds: str = "i8 u2 u2 u1") -> dict[str, NDArray[Any]]:
    return {name: np.array(v, kind) for name, v, kind in zip("txyp", (T, X, Y, P), kinds.split(), strict=True)}


def records(kind: list[tuple[str, str]]) -> NDArray[Any]:
    table = np.zeros(4, kind)
    for name, values in (("t", T), ("x", X), ("y", Y), ("p", P)):
        if name in table.dtype.names:
            table[name] = values
    return table


def rpg(file: h5py.File) -> None:
    file["events/ts"], file["events/ps"] = np.array(T) / 1e6, np.array(P, bool)
    file["events/xs"], file["events/ys"] = np.array(X, "i2"), np.array(Y, "i2")
    file.attrs["sensor_resolution"] = (34, 40)  # (height, width), as E2VID has it


def m3ed(file: h5py.File) -> None:
    for camera, late in (("right", 7), ("left", 0)):
        for name, values in columns().items():
            file[f"prophesee/{camera}/{name}"] = values + late * (name == "t")
        file[f"prophesee/{camera}/calib/resolution"] = np.array([40, 34])
        file[f"prophesee/{camera}/ms_map_idx"] = np.array([0, 1, 3], "u8")


def prophesee(file: h5py.File) -> None:
    file["CD/events"] = records([("x", "u2"), ("y", "u2"), ("p", "i2"), ("t", "i8")])
    file.attrs["geometry"] = "40x34"


def v2e(file: h5py.File) -> None:
    table = np.stack([T, X, Y, P], axis=1).astype("u4")
    file.create_dataset("events", data=table, dtype="u4", maxshape=(None, 4), compression="gzip")


def mvsec(file: h5py.File) -> None:
    file["davis/left/events"] = np.stack([X, Y, np.array(T) / 1e6, SIGNED], axis=1)


def tonic(file: h5py.File) -> None:
    table = records([("x", "i8"), ("y", "i8"), ("t", "i8"), ("p", "i8")])
    file.create_dataset("data/0", data=table, compression="lzf")
    file["target/0"] = 3


def raw_events(file: h5py.File) -> None:
    for name, values in columns("f8 i4 i4 ?").items():
        file.create_dataset(f"raw_events/{name}", data=values / 1e6 if name == "t" else values, compression="gzip")


def top(file: h5py.File) -> None:
    for name, values in columns("i8 i4 i4 i1").items():
        file[name] = np.array(SIGNED, "i1") if name == "p" else values


LAYOUTS: list[tuple[Callable[[h5py.File], None], str, tuple[int, int] | None]] = [
    (rpg, "rpg", (40, 34)),
    (m3ed, "M3ED prophesee/left", (40, 34)),
    (prophesee, "Prophesee CD", (40, 34)),
    (v2e, "v2e", None),
    (mvsec, "MVSEC davis/left", (346, 260)),
    (tonic, "tonic cache", None),
    (raw_events, "raw_events", None),
    (top, "columns", None),
]


def made(path: Path, layout: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "w") as file:
        layout(file)
    return path


@pytest.mark.parametrize(("layout", "version", "size"), LAYOUTS, ids=[version for _, version, _ in LAYOUTS])
def test_a_layout_is_found_by_its_structure(
    tmp_path: Path, layout: Callable[[h5py.File], None], version: str, size: tuple[int, int] | None
) -> None:
    path = made(tmp_path / "one.h5", layout)
    assert (info(path).version, info(path).sensor_size) == (version, size)
    events = read(path, sensor_size=(346, 260))
    assert [column.tolist() for column in (events.t, events.x, events.y, events.p)] == [T, X, Y, P]
    assert (events.t.dtype, events.x.dtype, events.p.dtype) == (np.int64, np.uint16, np.uint8)


def test_a_window_of_each_layout_is_the_same_part(tmp_path: Path) -> None:
    for layout, _, _ in LAYOUTS:
        path = made(tmp_path / "one.h5", layout)
        for start, stop in ((6, 1001), (None, 1000), (1000, None), (2500, 2501), (2501, None), (0, 5)):
            low, high = np.searchsorted(T, [start or 0, 9999 if stop is None else stop])
            events = read(path, start_us=start, stop_us=stop, sensor_size=(346, 260))
            assert events.t.tolist() == T[low:high], (layout, start, stop)


def test_a_camera_is_chosen_by_member(tmp_path: Path) -> None:
    path = made(tmp_path / "one.h5", m3ed)
    assert read(path).t.tolist() == T
    for member in ("right", "prophesee/right"):
        assert read(path, member=member).t.tolist() == [t + 7 for t in T]
        assert info(path, member=member).version == "M3ED prophesee/right"
    with pytest.raises(EventFileError, match="expected member to be a camera of left, right, got 'top'"):
        read(path, member="top")
    with pytest.raises(EventFileError, match=r"it holds one recording \(rpg\); leave member out"):
        read(made(tmp_path / "two.h5", rpg), member="left")


def test_prophesees_triggers_are_counted(tmp_path: Path) -> None:
    with h5py.File(made(tmp_path / "one.h5", prophesee), "a") as file:
        file["EXT_TRIGGER/events"] = np.zeros(5, [("p", "i2"), ("t", "i8"), ("id", "i2")])
    assert info(tmp_path / "one.h5").streams == {"triggers": 5}


def test_sensor_resolution_comes_in_both_orders(tmp_path: Path) -> None:
    for sides in ((180, 240), (240, 180), np.array([240.0, 180.0])):
        with h5py.File(made(tmp_path / "one.h5", rpg), "a") as file:
            file.attrs["sensor_resolution"] = sides
        assert read(tmp_path / "one.h5").sensor_size == (240, 180)


def test_a_sensor_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with h5py.File(made(tmp_path / "one.h5", rpg), "a") as file:
        file.attrs["sensor_resolution"] = (0, 180)
    with pytest.raises(EventFileError, match="expected a sensor of 1 to 65536 pixels a side, got 180x0"):
        read(tmp_path / "one.h5")


@pytest.mark.parametrize("kind", ["f8", "f4"])
def test_seconds_become_the_nearest_microsecond(tmp_path: Path, kind: str) -> None:
    with h5py.File(made(tmp_path / "one.h5", rpg), "a") as file:
        del file["events/ts"]
        file["events/ts"] = np.array([0, 1.5e-6, 2.5e-6, 0.000779999], kind)  # a half goes to the even one
    assert read(tmp_path / "one.h5").t.tolist() == [0, 2, 2, 780]


def test_the_unit_of_times_may_be_said(tmp_path: Path) -> None:
    with h5py.File(made(tmp_path / "one.h5", rpg), "a") as file:
        del file["events/ts"]
        file["events/ts"] = np.array([0.0, 1, 2, 3])
    assert read(tmp_path / "one.h5").t.tolist() == [0, 1_000_000, 2_000_000, 3_000_000]
    assert read(tmp_path / "one.h5", time_unit="us").t.tolist() == [0, 1, 2, 3]
    path = made(tmp_path / "two.h5", top)
    assert read(path, time_unit="s", sensor_size=(34, 34)).t.tolist() == [t * 1_000_000 for t in T]
    with pytest.raises(EventFileError, match="expected time_unit to be us, s, got 'ms'"):
        read(path, time_unit="ms")


@given(st.integers(-(1 << 51) + 1, (1 << 51) - 1))
def test_every_microsecond_survives_seconds(t: int) -> None:
    assert microseconds(np.array([t / 1e6]), None, 0, 0).tolist() == [t]


@pytest.mark.parametrize(
    ("convert", "values", "row", "reason"),
    [
        (coordinates, np.array([1, -1], "i2"), 1, "expected x from 0 to 65535, event 1 has -1"),
        (coordinates, np.array([0, 65536], "i4"), 1, "expected x from 0 to 65535, event 1 has 65536"),
        (coordinates, np.array([2.0, 2.5]), 1, "expected x as whole pixels, event 1 has 2.5"),
        (coordinates, np.array([np.nan, 2.5]), 0, "expected x from 0 to 65535, event 0 has nan"),
        (polarities, np.array([0, 1, 2], "u1"), 2, "expected p of -1, 0 or 1, event 2 has 2"),
        (polarities, np.array([0, -2], "i2"), 1, "expected p of -1, 0 or 1, event 1 has -2"),
        (polarities, np.array([1, 255], "u2"), 1, "expected p of -1, 0 or 1, event 1 has 255"),
        (microseconds, np.array([0, np.nan]), 1, "expected a time that fits 64 bits, event 1 has nan"),
        (microseconds, np.array([0, 1e300]), 1, "expected a time that fits 64 bits, event 1 has 1e[+]300"),
        (microseconds, np.array([0, 1 << 63], "u8"), 1, "expected a time that fits 64 bits, event 1 has 9223372036"),
    ],
)
def test_what_no_event_can_hold_is_refused_with_its_row(
    convert: Any, values: NDArray[Any], row: int, reason: str
) -> None:
    more = {coordinates: ("x", 0), polarities: (0,), microseconds: (None, 0, 0)}[convert]
    with pytest.raises(BadRow, match=reason) as error:
        convert(values, *more)
    assert error.value.row == row


def test_a_bad_value_is_named_by_its_event_and_a_tolerant_reader_keeps_those_before(tmp_path: Path) -> None:
    n = 300_000
    with h5py.File(tmp_path / "one.h5", "w") as file:
        for name in "txyp":
            values = np.arange(n) if name == "t" else np.zeros(n, "i4")
            if name == "y":
                values[270_001] = -3
            file[f"events/{name}"] = values
    with pytest.raises(EventFileError, match="expected y from 0 to 65535, event 270001 has -3"):
        read(tmp_path / "one.h5", sensor_size=(9, 9))
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert len(read(tmp_path / "one.h5", sensor_size=(9, 9), tolerant=True)) == 270_001


def test_a_wrong_millisecond_index_is_not_believed(tmp_path: Path) -> None:
    for wrong in ([0, 0, 0, 0], [4, 4, 4, 4], [3, 2, 1, 0], [99, 99, 99, 99], []):
        write(tmp_path / "one.h5", EVENTS)
        with h5py.File(tmp_path / "one.h5", "a") as file:
            del file["ms_to_idx"]
            file["ms_to_idx"] = np.array(wrong, "u8")
        for start, stop in ((0, 1000), (1000, 2000), (1001, 2500), (2000, 3000)):
            low, high = np.searchsorted(T, [start, stop])
            assert read(tmp_path / "one.h5", start_us=start, stop_us=stop) == EVENTS[low:high], (wrong, start)


def test_columns_with_chunks_of_different_sizes_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 400_000
    events = Events(np.arange(n), rng.integers(0, 640, n), rng.integers(0, 480, n), rng.integers(0, 2, n), (640, 480))
    with h5py.File(tmp_path / "one.h5", "w") as file:
        for name, chunk in zip("txyp", (1000, 333_333, 65_536, n), strict=True):
            file.create_dataset(
                f"events/{name}", data=getattr(events, name), chunks=(chunk,), compression="gzip", shuffle=name != "x"
            )
    assert read(tmp_path / "one.h5", sensor_size=(640, 480)) == events
    assert read(tmp_path / "one.h5", sensor_size=(640, 480), start_us=99_999, stop_us=334_000) == events[99_999:334_000]


@pytest.mark.parametrize("packing", [{"fletcher32": True}, {"scaleoffset": 0}, {"compression": "lzf"}])
def test_other_filters_of_hdf5_are_read(tmp_path: Path, packing: dict[str, Any]) -> None:
    with h5py.File(tmp_path / "one.h5", "w") as file:
        for name, values in columns("i8 u2 u2 u1").items():
            file.create_dataset(f"events/{name}", data=values, chunks=(4,), **packing)
    assert read(tmp_path / "one.h5", sensor_size=(34, 34)) == EVENTS


def test_checksums_beside_deflate_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "one.h5", "w") as file:
        for name, values in columns().items():
            file.create_dataset(f"events/{name}", data=values, compression="gzip", shuffle=True, fletcher32=True)
    assert read(tmp_path / "one.h5", sensor_size=(34, 34)) == EVENTS


def test_blosc_of_dsecs_own_files_is_read_where_its_plugin_is(tmp_path: Path) -> None:
    hdf5plugin = pytest.importorskip("hdf5plugin")
    with h5py.File(tmp_path / "one.h5", "w") as file:
        for name, values in columns("u4 u2 u2 u1").items():
            file.create_dataset(f"events/{name}", data=values, **hdf5plugin.Blosc(cname="zstd"))
    assert read(tmp_path / "one.h5", sensor_size=(34, 34)) == EVENTS


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (0x8ECF, "ECF, whose decoder comes with Prophesee's hdf5_ecf"),
        (555, "HDF5's filter 555; pip install hdf5plugin"),
    ],
)
def test_a_missing_filter_says_what_to_install(tmp_path: Path, number: int, reason: str) -> None:
    path = made(tmp_path / "one.h5", v2e)
    deflate = b"\x08\x00\x01\x00\x01\x00deflate\0"  # length of the name, flags, one value; the id stands before
    data = path.read_bytes()
    assert data.count(b"\x01\x00" + deflate) == 1
    path.write_bytes(data.replace(b"\x01\x00" + deflate, number.to_bytes(2, "little") + deflate))
    with pytest.raises(EventFileError, match=reason):
        read(path)


def test_frames_in_a_cache_and_files_without_events_are_refused_by_what_they_hold(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file["data/0"], file["target/0"] = np.zeros((3, 2, 4, 4)), 1
    with pytest.raises(EventFileError, match="this cache of tonic's, data/0 holds frames"):
        read(tmp_path / "one.h5")
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file["weights"], file["bias"] = np.zeros(3), np.zeros(3)
    with pytest.raises(EventFileError, match=r"expected events in a layout of DSEC, .*, found 'bias', 'weights'"):
        read(tmp_path / "one.h5")


def test_a_user_block_before_hdf5_is_passed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "one.h5", "w", userblock_size=512) as file:
        for name, values in columns().items():
            file.create_dataset(f"events/{name}", data=values, compression="gzip" if name == "t" else None)
    assert read(tmp_path / "one.h5", sensor_size=(34, 34)) == EVENTS


def test_the_real_file_holds_the_events_of_the_text_beside_it() -> None:
    path = data_path("reader-fixtures/event-vision-library/event.hdf5")
    text = data_path("reader-fixtures/event-vision-library/event.txt").read_text().split("\n")
    rows = [line.split() for line in text if line.strip()]  # t y x p, times cut to nanoseconds
    events = read(path, sensor_size=(240, 200))
    assert (events.x.tolist(), events.y.tolist()) == ([int(r[2]) for r in rows], [int(r[1]) for r in rows])
    assert np.abs(events.t - np.array([float(r[0]) * 1e6 for r in rows])).max() < 0.01
    assert events.p.tolist() == [int(r[3]) for r in rows]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 1 << 40), max_size=30).map(sorted), st.data())
def test_any_part_of_time_is_found(times: list[int], data: st.DataObject) -> None:
    from io import BytesIO

    from event_tools.finding import open_reader
    from event_tools.formats.reader import Reading
    from event_tools.settling import settle

    buffer = BytesIO()
    n = len(times)
    with h5py.File(buffer, "w") as file:
        for name in "txyp":
            values = np.array(times, "i8") if name == "t" else np.zeros(n, "u1")
            file.create_dataset(
                f"events/{name}", data=values, chunks=(4,) if n else None, maxshape=(None,) if n else None
            )
    start, stop = sorted(data.draw(st.tuples(*[st.sampled_from([0, 1 << 41, *times, *(t + 1 for t in times)])] * 2)))
    reading = Reading(sensor_size=(1, 1), start_us=start, stop_us=stop)
    path = Path("one.h5")
    events = settle(open_reader(buffer, path, reading)[1], path, reading)  # type: ignore[arg-type]
    assert events.t.tolist() == [t for t in times if start <= t < stop]
