"""Arrays of events in .npy: tonic's and expelliarmus's types, other types and orders, what is refused, damage."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from event_tools import EventFileError, Events, info, iterate, read, write
from event_tools.formats.reader import Reading
from tests.data import data_path
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import recordings, written_and_read

TONIC = [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")]
EVENTS = Events([-5, 3, 3, 1 << 40], [1, 33, 0, 7], [2, 0, 33, 7], [1, 0, 1, 1], (34, 34))
ROWS = list(zip(EVENTS.x, EVENTS.y, EVENTS.t, EVENTS.p, strict=True))


def saved(tmp_path: Path, array: np.ndarray) -> Path:
    np.save(tmp_path / "one.npy", array, allow_pickle=False)
    return tmp_path / "one.npy"


def test_numpy_and_we_write_the_same_bytes(tmp_path: Path) -> None:
    path = saved(tmp_path, np.array(ROWS, TONIC))
    write(tmp_path / "two.npy", EVENTS)
    assert (tmp_path / "two.npy").read_bytes() == path.read_bytes()
    write(tmp_path / "two.npy", iter([EVENTS[:1], EVENTS[1:1], EVENTS[1:]]))
    assert (tmp_path / "two.npy").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "dtype",
    [
        TONIC,
        [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")],
        np.dtype({"names": ["t", "x", "y", "p"], "formats": ["<i8", "<i2", "<i2", "u1"], "itemsize": 16}),
        [("ts", ">i8"), ("pol", "i1"), ("Y", ">u4"), ("X", "u1"), ("frame", "f4")],
        [("timestamp", "f8"), ("x", "f4"), ("y", "f4"), ("polarity", "f4")],
    ],
)
def test_fields_of_any_order_and_type_are_read(tmp_path: Path, dtype: object) -> None:
    array = np.zeros(4, dtype)
    for name in array.dtype.names:
        if name != "frame":
            array[name] = getattr(EVENTS, name[0].lower())
    unit = "us" if array.dtype.names[0] == "timestamp" else None
    assert read(saved(tmp_path, array), sensor_size=(34, 34), time_unit=unit) == EVENTS


def test_minus_one_is_off(tmp_path: Path) -> None:
    array = np.array([(0, 1, 1, -1), (1, 1, 1, 1)], [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i1")])
    assert read(saved(tmp_path, array), sensor_size=(2, 2)).p.tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
@pytest.mark.parametrize("order", ["txyp", "xytp", "pytx"])
def test_four_columns_are_read_in_the_order_that_is_told(tmp_path: Path, order: str, dtype: type) -> None:
    array = np.stack([getattr(EVENTS, name).astype(dtype) for name in order], 1)
    path = saved(tmp_path, array)
    assert read(path, sensor_size=(34, 34), convention=order, time_unit="us") == EVENTS
    with pytest.raises(EventFileError, match="its four columns have no names; say convention"):
        read(path, sensor_size=(34, 34))


def test_seconds_are_rounded_to_microseconds(tmp_path: Path) -> None:
    array = np.array([[0.000779999, 1, 1, 1], [1600000000.000001, 1, 1, 0]])
    assert read(saved(tmp_path, array), sensor_size=(2, 2), convention="txyp", time_unit="s").t.tolist() == [
        780,
        1600000000000001,
    ]


@settings(deadline=None, max_examples=60)
@given(recordings(first_us=-(1 << 62), last_us=1 << 62, side=32768))
def test_what_is_written_is_read(events: Events) -> None:
    assert written_and_read(events, ".npy") == events


def test_a_window_is_found_by_bisection_and_equals_the_mask(tmp_path: Path) -> None:
    t = np.repeat(np.arange(0, 400_000, 10), 3)
    events = Events(t, t % 32, t % 31, t % 2, (34, 34))
    write(tmp_path / "one.npy", events)
    for start, stop in ((-5, 1), (100, 101), (99_995, 200_000), (399_990, 9_999_999), (400_000, 400_001)):
        expected = events[(t >= start) & (t < stop)]
        assert read(tmp_path / "one.npy", None, start, stop, sensor_size=(34, 34)) == expected
    sizes = [len(part) for part in iterate(tmp_path / "one.npy", events=50_000, sensor_size=(34, 34))]
    assert sizes == [50_000, 50_000, 20_000]


def test_a_place_beyond_tonics_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match="npy holds x and y up to 32767, as tonic's type does, got 32768 and 0"):
        write(tmp_path / "one.npy", Events([0], [32768], [0], [1], (40000, 1)))
    assert list(tmp_path.iterdir()) == []


FIELDS = [("t", "i8"), ("x", "i4"), ("y", "i4"), ("p", "i1")]


@pytest.mark.parametrize(
    ("row", "dtype", "sentence"),
    [
        ((0, -1, 0, 0), FIELDS, "expected x to be whole and from 0 to 65535, event 1 has -1"),
        ((0, 0, 65536, 0), FIELDS, "expected y to be whole and from 0 to 65535, event 1 has 65536"),
        ((0, 0, 0, 2), FIELDS, "expected polarities 0 and 1, or -1 and 1, event 1 has 2"),
        ((0, 0, 0, -1), FIELDS, "got 0 and -1 in one file"),
        (
            (0, 0.5, 0, 0),
            [("t", "i8"), ("x", "f4"), ("y", "i2"), ("p", "?")],
            "expected x to be whole .* event 1 has 0.5",
        ),
        ((0.5, 0, 0, 0), [("t", "f8"), ("x", "i2"), ("y", "i2"), ("p", "?")], "its times are fractions; say time_unit"),
        (
            (1 << 63, 0, 0, 0),
            [("t", "u8"), *FIELDS[1:]],
            "fit 64 bits of microseconds, event 1 has 9223372036854775808",
        ),
        ((0, 0, 0, 0), [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "S1")], "expected polarities as numbers, got"),
        ((0, 0, 0, 0), [("t", "M8[us]"), *FIELDS[1:]], "expected numbers as times, got datetime64"),
        ((0, 0, 0, 0), [("t", "i8", (2,)), *FIELDS[1:]], "expected t as one number an event, got 2 dimensions"),
        ((0, 0, 0, 0), [("t", "i8"), ("x", "i2"), ("y", "i2"), ("z", "?")], "one of p, ps, pol.* got 't, x, y, z'"),
    ],
)
def test_values_that_no_event_has_are_refused(tmp_path: Path, row: tuple, dtype: list, sentence: str) -> None:
    array = np.zeros(2, dtype)
    array[1] = row
    path = saved(tmp_path, array)
    with pytest.raises(EventFileError, match=sentence):
        read(path, sensor_size=(65536, 65536))


def test_a_value_is_named_by_its_byte(tmp_path: Path) -> None:
    path = saved(tmp_path, np.array([(0, 1, 1, 0), (1, -1, 1, 1)], FIELDS))
    with pytest.raises(EventFileError) as error:
        read(path, sensor_size=(2, 2))
    assert error.value.offset == path.stat().st_size - 17


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.zeros((4, 3)), r"expected fields t, x, y, p or four columns, got float64 \(4, 3\)"),
        (np.zeros((2, 2), TONIC), r"expected a structured array of one dimension, got \(2, 2\)"),
        (np.asfortranarray(np.zeros((3, 4))), "Fortran's order; save np.ascontiguousarray of it"),
        (np.zeros(3, [("t", "V5000")]), "expected numbers of 1 to 4096 bytes, got 5000"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: np.ndarray, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        read(saved(tmp_path, array), sensor_size=(2, 2))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.array([{}, {}], object), allow_pickle=True)
    with pytest.raises(EventFileError, match="holds Python objects, which are never unpickled"):
        read(tmp_path / "one.npy")


def whole() -> bytes:
    array = np.zeros(200, TONIC)
    array["t"], array["x"], array["p"] = np.arange(200) * 1000, np.arange(200) % 30, np.arange(200) % 2
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: data[:-1], "it declares 200 events, the file ends after 199"),
        (lambda data: data + b"more", "expected the end of its array, 4 bytes follow"),
        (lambda data: data[:9], "at byte 0: expected the head of a numpy array"),
        (lambda data: data[:40], "expected a head of .* bytes, it ends after 30"),
        (lambda data: data[:8] + b"\xff\xff" + data[10:], "a head of at most 10000 bytes, it declares 65535"),
        (lambda data: data.replace(b"(200,)", b"(2e1,)"), "at byte 10: .* it cannot be understood"),
        (lambda data: data.replace(b"(200,)", b"(9**9)"), "it cannot be understood"),
        (lambda data: data[:10] + b"[" * (len(data) - 10), "it cannot be understood"),
    ],
)
def test_a_damaged_head_or_end_is_refused(tmp_path: Path, change: object, sentence: str) -> None:
    (tmp_path / "one.npy").write_bytes(change(whole()))  # type: ignore[operator]
    with pytest.raises(EventFileError, match=sentence):
        read(tmp_path / "one.npy", sensor_size=(34, 34))


def test_an_array_of_too_many_events_takes_no_memory(tmp_path: Path) -> None:
    data = whole().replace(b"(200,), }" + b" " * 12, b"(200000000000000,), }"[:21])
    assert len(data) == len(whole()) and b"200000000000000" in data
    (tmp_path / "one.npy").write_bytes(data)
    with pytest.warns(UserWarning, match="declares 200000000000000 events, the file ends after 200; kept"):
        assert len(read(tmp_path / "one.npy", sensor_size=(34, 34), tolerant=True)) == 200


def test_a_tolerant_reader_keeps_what_precedes_a_value_that_no_event_has(tmp_path: Path) -> None:
    rows = np.zeros(100_000, [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "i1")])
    rows["t"] = np.arange(100_000)
    rows["p"][90_000], rows["y"][90_001], rows["x"][89_000] = 2, -1, -7
    path = saved(tmp_path, rows)
    place = f"at byte {path.stat().st_size - 11_000 * 13}"
    with pytest.warns(UserWarning, match=f"{place}: expected x to be whole .*; kept what precedes it"):
        assert read(path, sensor_size=(1, 1), tolerant=True).t.tolist() == list(range(89_000))
    with pytest.raises(EventFileError, match="event 90000 has 2"):
        read(path, sensor_size=(1, 1))


def test_a_thousand_mutations_are_survived() -> None:
    assert survives(whole(), "one.npy", Reading(sensor_size=(34, 34))) > 500


def test_expelliarmus_own_array_is_read() -> None:
    path = data_path("reader-fixtures/expelliarmus/evt3_sample.npy")
    events, array = read(path, sensor_size=(1280, 720)), np.load(path, allow_pickle=False)
    assert len(events) == 219_596
    assert all(np.array_equal(getattr(events, name), array[name]) for name in "txyp")
    with pytest.raises(EventFileError, match="give sensor_size"):
        read(path)
    assert info(path).sensor_size is None
