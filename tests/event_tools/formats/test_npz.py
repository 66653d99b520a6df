"""Arrays of events in .npz: SpikingJelly's names, other people's, bytes that numpy reads, bombs and damage."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import EventFileError, Events, info, iterate, read, write
from event_tools.formats.npz_writing import crc_of_both
from tests.data import data_path
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import recordings, written_and_read

EVENTS = Events([-5, 3, 3, 1 << 40], [1, 33, 0, 7], [2, 0, 33, 7], [1, 0, 1, 1], (34, 34))
COLUMNS = {name: getattr(EVENTS, name) for name in "txyp"}


def stored(tmp_path: Path, **arrays: Any) -> Path:
    np.savez(tmp_path / "one.npz", **arrays)
    return tmp_path / "one.npz"


def test_numpy_reads_spikingjellys_names_and_types(tmp_path: Path) -> None:
    write(tmp_path / "one.npz", EVENTS)
    with np.load(tmp_path / "one.npz", allow_pickle=False) as found:
        assert found.files == ["t", "x", "y", "p", "width", "height"]
        assert [found[name].dtype.str for name in "txyp"] == ["<i8", "<u2", "<u2", "|u1"]
        assert all(np.array_equal(found[name], COLUMNS[name]) for name in "txyp")
    with zipfile.ZipFile(tmp_path / "one.npz") as archive:
        assert archive.testzip() is None
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_numpys_own_files_are_read(tmp_path: Path) -> None:
    assert read(stored(tmp_path, **COLUMNS), sensor_size=(34, 34)) == EVENTS
    np.savez_compressed(tmp_path / "two.npz", **COLUMNS, sensor_size=(34, 34))
    assert read(tmp_path / "two.npz") == EVENTS


def test_the_sensor_and_provenance_come_back_without_a_hint(tmp_path: Path) -> None:
    told = {"seed": 7, "rate": 0.5, "tool": "neurogen é", "anchored": True}
    write(tmp_path / "one.npz", EVENTS, provenance=told)
    answer = info(tmp_path / "one.npz")
    assert (answer.format, answer.sensor_size, answer.provenance) == ("npz", (34, 34), told)
    assert [type(value) for value in answer.provenance.values()] == [int, float, str, bool]
    assert read(tmp_path / "one.npz") == EVENTS


@settings(deadline=None, max_examples=60)
@given(recordings(first_us=-(1 << 62), last_us=1 << 62, side=65536))
def test_what_is_written_is_read(events: Events) -> None:
    assert written_and_read(events, ".npz") == events


def test_bytes_do_not_depend_on_the_parts_nor_on_where_columns_are_held(tmp_path: Path) -> None:
    t = np.arange(3_000_000)
    events = Events(t, t % 128, t % 127, t % 2, (128, 128))
    write(tmp_path / "one.npz", events)
    write(tmp_path / "two.npz", (events[at : at + 70_001] for at in range(0, len(t), 70_001)))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert read(tmp_path / "one.npz") == events
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.npz", "two.npz"]
    window = read(tmp_path / "one.npz", None, 1_000_000, 1_000_003)
    assert window.t.tolist() == [1_000_000, 1_000_001, 1_000_002]
    assert [len(part) for part in iterate(tmp_path / "one.npz", events=1_500_000)] == [1_500_000, 1_500_000]
    with zipfile.ZipFile(tmp_path / "one.npz") as archive:
        assert archive.testzip() is None


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_checksum_of_both_is_that_of_the_bytes_together(one: bytes, two: bytes) -> None:
    assert crc_of_both(zlib.crc32(one), zlib.crc32(two), len(two)) == zlib.crc32(one + two)


@pytest.mark.parametrize(
    "names", [("ts", "xs", "ys", "ps"), ("timestamps", "x", "y", "polarity"), ("T", "X", "Y", "Pol")]
)
def test_other_spellings_are_read(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = stored(tmp_path, **dict(zip(names, COLUMNS.values(), strict=True)), label=np.int64(3))
    assert read(path, sensor_size=(34, 34)) == EVENTS


def test_other_types_are_read(tmp_path: Path) -> None:
    arrays = {"t": EVENTS.t / 1e6, "x": EVENTS.x.astype(">i8"), "y": EVENTS.y.astype("f4"), "p": EVENTS.p == 1}
    path = stored(tmp_path, **arrays, width=np.array([34], np.uint64), height=np.uint16(34))
    assert read(path, time_unit="s") == EVENTS
    with pytest.raises(EventFileError, match="its times are fractions; say time_unit, us or s"):
        read(path)


def test_eventcvs_scale_of_time_is_heeded(tmp_path: Path) -> None:
    path = stored(tmp_path, **COLUMNS, timestamp_scale_ms=np.array([0.001]))
    assert read(path, sensor_size=(34, 34)) == EVENTS
    path = stored(tmp_path, **{**COLUMNS, "t": np.arange(4)}, timestamp_scale_ms=np.array([1000.0]))
    assert read(path, sensor_size=(34, 34)).t.tolist() == [0, 1_000_000, 2_000_000, 3_000_000]
    path = stored(tmp_path, **COLUMNS, timestamp_scale_ms=np.array([1.0]))
    with pytest.raises(EventFileError, match=r"its times are in units of 1\.0 ms; convert them or say time_unit"):
        read(path, sensor_size=(34, 34))


def test_one_structured_array_is_read(tmp_path: Path) -> None:
    array = np.zeros(4, [("x", "u2"), ("y", "u2"), ("t", "i8"), ("p", "?")])
    for name in "txyp":
        array[name] = COLUMNS[name]
    assert read(stored(tmp_path, events=array, label=np.int64(3)), sensor_size=(34, 34)) == EVENTS
    assert read(stored(tmp_path, anything=array), sensor_size=(34, 34)) == EVENTS


def test_four_columns_need_an_order(tmp_path: Path) -> None:
    path = stored(tmp_path, events=np.stack([COLUMNS[name].astype(np.int64) for name in "xytp"], 1))
    assert read(path, sensor_size=(34, 34), convention="xytp") == EVENTS
    with pytest.raises(EventFileError, match="say convention, such as txyp or xytp"):
        read(path)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"frames": np.zeros((4, 2, 3, 3))}, r"expected fields t, x, y, p or four columns, got float64 \(4, 2, 3, 3\)"),
        ({"t": np.zeros(1, int), "x": np.zeros(1, int)}, "expected one of y, ys among its columns, got 't, x'"),
        ({**COLUMNS, "p": COLUMNS["p"][:3]}, "expected arrays of equal length, got t 4, x 4, y 4, p 3"),
        ({**COLUMNS, "ts": COLUMNS["t"]}, "expected one of t, ts, time"),
        ({**COLUMNS, "t": np.zeros((4, 1), int)}, r"expected array t of one dimension, got int64 \(4, 1\)"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        read(stored(tmp_path, **arrays), sensor_size=(34, 34))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", **{**COLUMNS, "x": np.array([1, {}, 2, 3], object)})
    with pytest.raises(EventFileError, match="holds Python objects, which are never unpickled"):
        read(tmp_path / "one.npz")


def whole(compressed: bool) -> bytes:
    buffer = io.BytesIO()
    t = np.arange(60)
    save = np.savez_compressed if compressed else np.savez
    save(
        buffer,
        t=t * 1000,
        x=(t % 34).astype("u2"),
        y=(t % 33).astype("u2"),
        p=(t % 2).astype("u1"),
        sensor_size=(34, 34),
    )
    return buffer.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_thousand_mutations_change_no_event(compressed: bool) -> None:
    assert survives(whole(compressed), "one.npz", exact=True) > 500


def test_a_thousand_mutations_of_what_we_write_change_no_event(tmp_path: Path) -> None:
    write(tmp_path / "one.npz", EVENTS, provenance={"seed": 7, "tool": "neurogen"})
    assert survives((tmp_path / "one.npz").read_bytes(), "one.npz", exact=True) > 500


def test_a_changed_number_is_refused_by_its_checksum(tmp_path: Path) -> None:
    data = whole(False)
    at = data.index(b"\x93NUMPY") + 128 + 8
    (tmp_path / "one.npz").write_bytes(data[:at] + b"\x01" + data[at + 1 :])
    with pytest.raises(EventFileError, match=r"its member t\.npy is not what its checksum says"):
        read(tmp_path / "one.npz")


def test_a_cut_archive_says_that_it_was_cut(tmp_path: Path) -> None:
    (tmp_path / "one.npz").write_bytes(whole(False)[:-10])
    for tolerant in (False, True):
        with pytest.raises(EventFileError, match=r"expected a zip archive, its directory is missing; was it cut\?"):
            read(tmp_path / "one.npz", tolerant=tolerant)


def test_a_member_that_declares_more_than_deflate_can_hold_is_refused(tmp_path: Path) -> None:
    data = whole(True)
    at = data.index(b"PK\1\2")
    (tmp_path / "one.npz").write_bytes(data[: at + 24] + struct.pack("<I", 1 << 31) + data[at + 28 :])
    with pytest.raises(EventFileError, match=r"its member t\.npy declares 2147483648 bytes out of"):
        read(tmp_path / "one.npz")


def test_an_array_longer_than_its_member_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<i8", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(tmp_path / "one.npz", "w") as archive:
        archive.writestr("t.npy", head.getvalue() + bytes(80))
        for name in "xyp":
            buffer = io.BytesIO()
            np.save(buffer, np.zeros(10, np.int64))
            archive.writestr(f"{name}.npy", buffer.getvalue())
    with pytest.raises(EventFileError, match=r"array t declares \(1099511627776,\) of int64, .* bytes are there"):
        read(tmp_path / "one.npz")


def test_a_member_that_calls_itself_otherwise_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.npz").write_bytes(whole(False).replace(b"x.npy", b"z.npy", 1))
    with pytest.raises(EventFileError, match=r"expected member x\.npy, its head says 'z\.npy'"):
        read(tmp_path / "one.npz")


def test_a_directory_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.npz").write_bytes(whole(False).replace(b"y.npy", b"x.npy"))
    with pytest.raises(EventFileError, match="its directory lists a name twice"):
        read(tmp_path / "one.npz")
    data = whole(False)
    end = data.rindex(b"PK\5\6")
    (tmp_path / "one.npz").write_bytes(data[: end + 10] + b"\x04" + data[end + 11 :])
    with pytest.raises(EventFileError, match="its directory declares 4 members and lists 5"):
        read(tmp_path / "one.npz")


def test_a_huge_directory_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "one.npz", "w") as archive:
        archive.writestr("t.npy", b"")
        archive.writestr("a" * 60_000, b"")
        for i in range(20):
            archive.writestr(f"{i}" + "a" * 60_000, b"")
    with pytest.raises(EventFileError, match="expected a directory of at most 1048576 bytes, it declares"):
        read(tmp_path / "one.npz")


@pytest.mark.parametrize("place", [(1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_member_that_is_said_to_lie_at_no_place_is_refused(tmp_path: Path, place: int) -> None:
    write(tmp_path / "one.npz", EVENTS)
    data = bytearray((tmp_path / "one.npz").read_bytes())
    entry, end = data.find(b"PK\1\2"), data.rfind(b"PK\5\6")
    name = struct.unpack_from("<H", data, entry + 28)[0]
    struct.pack_into("<I", data, end + 12, struct.unpack_from("<I", data, end + 12)[0] + 12)  # the directory's size
    struct.pack_into("<H", data, entry + 30, 12)
    struct.pack_into("<I", data, entry + 42, 0xFFFFFFFF)
    data[entry + 46 + name : entry + 46 + name] = struct.pack("<HHQ", 1, 8, place)
    (tmp_path / "one.npz").write_bytes(data)
    with pytest.raises(EventFileError, match=f"at byte {place}: expected the head of member t"):
        read(tmp_path / "one.npz")


def test_encrypted_and_otherwise_packed_members_are_refused(tmp_path: Path) -> None:
    data = whole(True)
    at = data.index(b"PK\1\2")
    for place, value, sentence in ((8, b"\x01\x00", "is encrypted"), (10, b"\x0e\x00", "is packed by method 14")):
        (tmp_path / "one.npz").write_bytes(data[: at + place] + value + data[at + place + 2 :])
        with pytest.raises(EventFileError, match=f"member t.npy {sentence}; store or deflate it"):
            read(tmp_path / "one.npz")


def test_large_members_need_wide_fields(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from event_tools.formats import npz_writing

    monkeypatch.setattr(npz_writing, "FULL", 200)  # so that every number is too large for its place

    def wide(number: int) -> int:
        return 0xFFFFFFFF if number == 200 else number

    pack, end = npz_writing.ENTRY.pack, npz_writing.END.pack

    class Wide:
        size = npz_writing.ENTRY.size

        def __init__(self, pack: Any) -> None:
            self.inner = pack

        def pack(self, *numbers: Any) -> bytes:
            return self.inner(*(wide(number) if isinstance(number, int) else number for number in numbers))

    monkeypatch.setattr(npz_writing, "ENTRY", Wide(pack))
    monkeypatch.setattr(npz_writing, "END", Wide(end))
    monkeypatch.setattr(npz_writing, "LOCAL", Wide(npz_writing.LOCAL.pack))
    t = np.arange(100)
    events = Events(t, t % 9, t % 9, t % 2, (9, 9))
    write(tmp_path / "one.npz", events)
    assert read(tmp_path / "one.npz") == events
    with np.load(tmp_path / "one.npz", allow_pickle=False) as found:
        assert np.array_equal(found["t"], t)


def test_a_real_clip_returns(tmp_path: Path) -> None:
    events = read(data_path("dvs128-gesture/1.bs3"))
    write(tmp_path / "one.npz", events)
    assert read(tmp_path / "one.npz") == events


def test_wide_records_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    n = 1 << 14
    records = np.zeros(n, [("t", "<i8"), ("x", "u1"), ("y", "u1"), ("p", "?"), ("more", "V4000")])
    records["t"] = np.arange(n)
    np.savez_compressed(tmp_path / "one.npz", events=records)
    del records
    tracemalloc.start()
    try:
        assert sum(map(len, iterate(tmp_path / "one.npz", events=10_000, sensor_size=(1, 1)))) == n
        assert tracemalloc.get_traced_memory()[1] < 16 << 20  # the records are 63 MiB
    finally:
        tracemalloc.stop()
