"""Recordings as other libraries hold them: the same memory where types allow, the same events always."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings

from event_tools import Events, from_spikingjelly, from_tonic, to_spikingjelly, to_tonic
from event_tools.interop import TONIC
from tests.event_tools.recordings import recordings

EVENTS = Events([3, 3, 8, 9], [0, 2, 1, 2], [1, 0, 1, 0], [1, 0, 0, 1], (3, 2))
SHARED = {
    "tonic": TONIC,
    "aligned": np.dtype([("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", np.bool_)], align=True),
    "any order": np.dtype([("p", np.uint8), ("t", np.int64), ("y", np.uint16), ("x", np.uint16)]),
    "unsigned time": np.dtype([("t", np.uint64), ("x", np.uint16), ("y", np.uint16), ("p", np.bool_)]),
    "polarity": np.dtype([("timestamp", np.int64), ("x", np.int16), ("y", np.int16), ("polarity", np.int8)]),
    "aedat": np.dtype([("t", np.uint64), ("x", np.uint16), ("y", np.uint16), ("on", np.bool_)]),
    "more fields": np.dtype([("x", np.uint16), ("id", np.int32), ("y", np.uint16), ("t", np.int64), ("p", np.uint8)]),
}
CONVERTED = {
    "spikingjelly's types": np.dtype([("t", np.uint32), ("x", np.int32), ("y", np.int32), ("p", np.int64)]),
    "big-endian": np.dtype([("t", ">i8"), ("x", ">u2"), ("y", ">u2"), ("p", np.uint8)]),
}


@pytest.mark.parametrize("dtype", SHARED.values(), ids=SHARED)
def test_columns_of_as_many_bytes_are_shared_both_ways(dtype: np.dtype) -> None:
    array = to_tonic(EVENTS, dtype)
    events = from_tonic(array, (3, 2))
    assert events == EVENTS
    assert all(np.shares_memory(getattr(events, name), array) for name in "txyp")
    assert to_tonic(events, dtype) is not EVENTS and np.shares_memory(to_tonic(events, dtype), array)
    for part in (slice(1, 3), slice(1, None, 2), slice(3, None)):
        back = to_tonic(events[part], dtype)
        assert np.shares_memory(back, array) and (back == array[part]).all()


@pytest.mark.parametrize("dtype", CONVERTED.values(), ids=CONVERTED)
def test_other_columns_are_converted(dtype: np.dtype) -> None:
    assert from_tonic(to_tonic(EVENTS, dtype), (3, 2, 2)) == EVENTS


def test_columns_of_other_arrays_are_not_mistaken_for_the_one_they_came_from() -> None:
    array = to_tonic(EVENTS)
    events = from_tonic(array, (3, 2))
    mixed = Events(events.t, events.x, events.x % 2, events.p, (3, 2))
    assert not np.shares_memory(to_tonic(mixed), array) and from_tonic(to_tonic(mixed), (3, 2)) == mixed
    late = Events(events.t[1:], events.x[:-1], events.y[1:], events.p[1:], (3, 2))
    assert from_tonic(to_tonic(late), (3, 2)) == late
    shifted = Events(events.t, events.y, events.x % 2, events.p, (3, 2))
    assert from_tonic(to_tonic(shifted), (3, 2)) == shifted


@settings(deadline=None, max_examples=40)
@given(recordings(first_us=-(1 << 50)))
def test_any_recording_comes_back_from_a_structured_array(events: Events) -> None:
    assert from_tonic(to_tonic(events), events.sensor_size) == events


def test_polarities_of_minus_one_and_one_are_off_and_on() -> None:
    array = np.zeros(3, [("t", np.int64), ("x", np.uint16), ("y", np.uint16), ("p", np.int8)])
    array["p"] = [-1, 1, -1]
    assert from_tonic(array, (1, 1)).p.tolist() == [0, 1, 0] and array["p"].tolist() == [-1, 1, -1]
    array["p"] = [-1, 0, 1]
    with pytest.raises(ValueError, match="-1 and 1"):
        from_tonic(array, (1, 1))


def test_a_set_without_rows_has_y_0() -> None:
    sound = np.array([(3, 699), (4, 0)], [("t", np.int64), ("x", np.int64)])
    with pytest.raises(ValueError, match="without p"):
        from_tonic(sound, (700, 1))
    sound = np.array([(3, 699, 1), (4, 0, 1)], [("t", np.int64), ("x", np.int64), ("p", np.int64)])
    assert from_tonic(sound, (700, 1, 1)) == Events([3, 4], [699, 0], [0, 0], [1, 1], (700, 1))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("x", -1, "x to fit uint16"), ("t", 1 << 63, "t to fit int64"), ("p", 2, "polarities")],
    ids=["negative", "late", "two"],
)
def test_values_that_do_not_fit_are_refused_not_wrapped(name: str, value: int, reason: str) -> None:
    array = np.zeros(2, [("t", np.uint64), ("x", np.int16), ("y", np.int16), ("p", np.uint8)])
    array[name] = value
    with pytest.raises(ValueError, match=reason):
        from_tonic(array, (65536, 65536))


def test_times_in_seconds_are_refused() -> None:
    array = np.zeros(1, [("t", np.float64), ("x", np.int16), ("y", np.int16), ("p", np.uint8)])
    with pytest.raises(ValueError, match="whole numbers for t"):
        from_tonic(array, (3, 2))


def test_what_a_structured_array_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="expected x to fit int16"):
        to_tonic(Events([0], [40_000], [0], [1], (65_536, 1)))
    with pytest.raises(ValueError, match="expected a structured array"):
        from_tonic(np.zeros((3, 4)), (3, 2))
    with pytest.raises(ValueError, match="expected fields"):
        to_tonic(EVENTS, np.dtype(np.int64))


def test_dictionaries_share_their_arrays_both_ways() -> None:
    arrays = to_spikingjelly(EVENTS)
    assert list(arrays) == ["t", "x", "y", "p"]
    assert all(arrays[name] is getattr(EVENTS, name) for name in arrays)
    again = from_spikingjelly(arrays, (3, 2))
    assert again == EVENTS and all(np.shares_memory(getattr(again, name), arrays[name]) for name in arrays)


def test_an_npz_file_opened_by_numpy_is_a_recording() -> None:
    file = BytesIO()
    np.savez(file, **to_spikingjelly(EVENTS))
    file.seek(0)
    assert from_spikingjelly(np.load(file), (3, 2)) == EVENTS
