"""AEDAT 4: several streams, windows by the packet table, parts, packets in every packing, bombs, mutations."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import lz4.frame
import numpy as np
import pytest

from event_tools import EventFileError, Events, info, iterate, read, write
from event_tools.formats import flatbuffers
from event_tools.formats.reader import Reading
from tests.data import data_path
from tests.event_tools.formats.test_aedat4 import EVENTS, MAGIC, PACKET, ROWS, header, packet
from tests.event_tools.hostile import survives

zstandard = pytest.importorskip("zstandard")


def many(n: int, seed: int = 0) -> Events:
    """Events over a second and a half, many at equal times."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 1_500, n)) * 1000
    return Events(t, rng.integers(0, 346, n), rng.integers(0, 260, n), rng.integers(0, 2, n), (346, 260))


def streams(**kinds: str) -> str:
    """The header's XML for streams such as s0="EVTS 346 260"."""
    nodes = ""
    for name, told in kinds.items():
        kind, *sides = told.split()
        size = "".join(
            f'<attr key="size{axis}" type="int">{side}</attr>' for axis, side in zip("XY", sides, strict=False)
        )
        nodes += f'<node name="{name[1:]}"><attr key="typeIdentifier" type="string">{kind}</attr>'
        nodes += f'<node name="info">{size}</node></node>'
    return f'<dv version="2.0"><node name="outInfo">{nodes}</node></dv>'


def event_rows(*rows: tuple[int, int, int, int]) -> bytes:
    body = b"".join(struct.pack("<qhhB3x", *row) for row in rows)
    return flatbuffers.event_packet_head(len(rows)) + body


def packets(data: bytes) -> list[tuple[int, int]]:
    """(place, size) of the bodies of a file that we wrote."""
    at = len(MAGIC) + 4 + struct.unpack_from("<I", data, len(MAGIC))[0]
    (stop,) = struct.unpack_from("<q", data, len(MAGIC) + 32)
    found = []
    while at < stop:
        (size,) = struct.unpack_from("<i", data, at + 4)
        found.append((at + 8, size))
        at += 8 + size
    return found


TWO = streams(s3="EVTS 10 10", s1="EVTS 346 260", s2="IMUS", s5="FRME", s6="TRIG")


def test_of_two_streams_the_first_with_a_packet_is_read_and_the_other_counted(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat4"
    one, three = packet(PACKET, stream=1), packet(event_rows((4, 9, 9, 1)), stream=3)
    path.write_bytes(header(xml=TWO) + one + packet(b"\xff" * 99, stream=5) + three + one)
    assert read(path) == Events([4], [9], [9], [1], (10, 10))
    empty = {"imu": 0, "triggers": 0}
    assert info(path).streams == {"events": 1, "events of stream 1": 4, "frames": 1} | empty
    assert read(path, member=1, order="sort").t.tolist() == [5, 5, 1 << 41, 1 << 41]
    assert read(path, member="1", order="sort").sensor_size == (346, 260)
    path.write_bytes(header(xml=TWO) + one)
    assert read(path) == EVENTS
    assert info(path).streams == {"events": 2, "events of stream 3": 0, "frames": 0} | empty
    path.write_bytes(header(xml=TWO))
    assert read(path) == Events.empty((10, 10))
    for member in (2, "left", -1):
        with pytest.raises(EventFileError, match=rf"member to be a stream of events \(3, 1\), got {member!r}"):
            read(path, member=member)


def test_of_kinds_that_are_not_known_packets_are_counted_whatever_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat4"
    other = packet(b"\xff" * 50, stream=2)
    path.write_bytes(header(xml=streams(s0="EVTS 346 260", s2="BBOX")) + other + packet(PACKET) + other)
    assert read(path) == EVENTS
    assert info(path).streams == {"events": 2, "BBOX": 2}


@pytest.mark.parametrize("kind", ["IMUS", "TRIG"])
def test_a_packet_of_samples_that_cannot_be_is_damage(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "one.aedat4"
    path.write_bytes(header(xml=streams(s0="EVTS 346 260", s2=kind)) + packet(PACKET) + packet(b"\xff" * 50, stream=2))
    with pytest.raises(EventFileError, match=f"expected a packet of {kind}"):
        read(path)


def test_written_in_parts_it_is_the_same_file_and_it_is_walked_in_parts(tmp_path: Path) -> None:
    events = many(123_456)
    write(tmp_path / "one.aedat4", events)
    write(tmp_path / "two.aedat4", (events[start : start + 7_001] for start in range(0, len(events), 7_001)))
    write(tmp_path / "three.aedat4", (events[start : start + 60_000] for start in range(0, len(events), 60_000)))
    data = (tmp_path / "one.aedat4").read_bytes()
    assert data == (tmp_path / "two.aedat4").read_bytes() == (tmp_path / "three.aedat4").read_bytes()
    assert read(tmp_path / "one.aedat4") == events
    parts = list(iterate(tmp_path / "one.aedat4", events=50_000))
    assert [len(part) for part in parts] == [50_000, 50_000, 23_456] and parts[2] == events[100_000:]


def test_a_time_that_decreases_is_named_by_its_packets_place(tmp_path: Path) -> None:
    head = header()
    first, second = packet(event_rows((4, 1, 1, 1), (5, 1, 1, 1))), packet(event_rows((6, 1, 1, 1), (3, 1, 1, 1)))
    (tmp_path / "one.aedat4").write_bytes(head + first + second)
    place = len(head) + len(first) + 8
    with pytest.raises(EventFileError, match=rf"at byte {place}: its times decrease at event 3 \(6 to 3 us\)"):
        read(tmp_path / "one.aedat4")


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_windows_by_the_table_are_cuts_of_the_whole(tmp_path: Path, compression: str) -> None:
    events = many(64_000)  # some 43 events at each time, so that borders of packets divide them
    path = tmp_path / "one.aedat4"
    write(path, events, compression=compression)
    for start in (-1, 0, 1, *events.t[9_990:10_040:7].tolist(), 700_000, 1_499_000, 1_499_001, 1 << 50):
        assert read(path, start_us=start) == events[events.t >= start], start
        inside = (events.t >= start) & (events.t < start + 100_000)
        assert read(path, start_us=start, stop_us=start + 100_000) == events[inside], start


def test_a_window_does_not_read_what_lies_before_it(tmp_path: Path) -> None:
    events = many(64_000)
    path = tmp_path / "one.aedat4"
    write(path, events)
    data = bytearray(path.read_bytes())
    place, size = packets(bytes(data))[1]
    data[place : place + size] = bytes(size)  # the second of seven packets
    path.write_bytes(data)
    assert read(path, start_us=800_000) == events[events.t >= 800_000]
    assert read(path, stop_us=100_000) == events[events.t < 100_000]
    with pytest.raises(EventFileError, match=f"at byte {place}: a packet cannot be decompressed"):
        read(path)


def test_a_window_of_a_real_recording_begins_where_its_own_table_says(tmp_path: Path) -> None:
    source = data_path("reader-fixtures/tonic/sample.aedat4")
    events, data = read(source), bytearray(source.read_bytes())
    start = int(events.t[60_000])
    assert read(source, start_us=start) == events[events.t >= start]
    data[2500:2600] = bytes(100)  # within the first packet
    (tmp_path / "one.aedat4").write_bytes(data)
    assert read(tmp_path / "one.aedat4", start_us=start) == events[events.t >= start]


def test_a_table_that_is_wrong_gives_no_wrong_events(tmp_path: Path) -> None:
    events = many(64_000)
    path = tmp_path / "one.aedat4"
    write(path, events, compression="none")
    data = path.read_bytes()
    (table_at,) = struct.unpack_from("<q", data, len(MAGIC) + 32)
    right = flatbuffers.read_file_table(np.frombuffer(data, np.uint8)[table_at:])
    assert right[:, 3].tolist() == [10_000] * 6 + [4_000]
    assert (right[:, 0].tolist(), right[:, 2].tolist()) == tuple(map(list, zip(*packets(data), strict=True)))
    assert right[:, 4].tolist() == events.t[::10_000].tolist()
    wrong = []
    for column, value in ((0, 8), (0, -8), (1, 1), (2, 1), (3, -10_000), (4, 1 << 40), (5, 1 << 40), (5, -(1 << 40))):
        entries = right.copy()
        entries[:, column] += value
        wrong.append(entries)
    wrong += [right[:-1], right[1:], right[::2], right[::-1], right[[0, 0, 1]], right[:0]]
    rolled = right.copy()
    rolled[:, 4:] = np.roll(right[:, 4:], 3, axis=0)
    beyond = np.concatenate([right, [[table_at + 8, 0, 99, 5, 0, 1], [table_at + 115, 0, 99, 5, 0, 1]]])
    for entries in (*wrong, rolled, beyond[:-1], beyond):
        path.write_bytes(data[:table_at] + flatbuffers.file_table(entries))
        for start in (1, 400_000, 700_000, 1_400_000, 2_000_000):
            inside = (events.t >= start) & (events.t < start + 300_000)
            assert read(path, start_us=start, stop_us=start + 300_000) == events[inside]
    for table in (b"", b"\0" * 100, b"\xff" * 100, flatbuffers.file_table(right)[:-300]):
        path.write_bytes(data[:table_at] + table)
        assert read(path, start_us=700_000) == events[events.t >= 700_000]


def rows_of(n: int) -> tuple[bytes, Events]:
    events = many(n)
    rows = np.zeros(n, np.dtype("<i8, <i2, <i2, u1, 3u1"))
    rows["f0"], rows["f1"], rows["f2"], rows["f3"] = events.t, events.x, events.y, events.p
    return rows.tobytes(), events


@pytest.mark.parametrize("gap", [4, 12])
@pytest.mark.parametrize(
    "options",
    [{}, {"block_linked": False}, {"block_size": 7, "block_checksum": True}, {"store_size": False, "block_size": 5}],
)
def test_packets_of_many_blocks_whose_borders_divide_events(
    tmp_path: Path, gap: int, options: dict[str, bool | int]
) -> None:
    rows, events = rows_of(70_000)  # more than a piece of columns, 17 blocks of 64 KiB
    body = struct.pack("<I4s4x", 20, b"EVTS") + struct.pack("<HHH2x", 6, 12, 8)
    body += struct.pack("<iiI", 8, 0, 4 + gap) + bytes(gap) + struct.pack("<I", 70_000) + rows
    data = packet(lz4.frame.compress(struct.pack("<I", len(body)) + body, **options))
    (tmp_path / "one.aedat4").write_bytes(header(compression=2) + data)
    assert read(tmp_path / "one.aedat4") == events


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("n", [100, 100_000])
def test_a_zstd_packet_with_and_without_its_size(tmp_path: Path, n: int, told: bool) -> None:
    rows, events = rows_of(n)
    packer = zstandard.ZstdCompressor(write_content_size=told, write_checksum=True)
    data = packer.compress(flatbuffers.event_packet_head(n) + rows)
    (tmp_path / "one.aedat4").write_bytes(header(compression=4) + packet(data))
    assert read(tmp_path / "one.aedat4") == events
    for damaged in (data[:-1], data[:-5], data + b"\0", data[:-1] + bytes([data[-1] ^ 1])):
        (tmp_path / "one.aedat4").write_bytes(header(compression=4) + packet(damaged))
        with pytest.raises(EventFileError, match="a packet cannot be decompressed"):
            read(tmp_path / "one.aedat4")


def test_a_packet_whose_end_is_damaged_gives_none_of_its_events(tmp_path: Path) -> None:
    rows, _ = rows_of(70_000)
    body = flatbuffers.event_packet_head(70_000) + rows
    good = lz4.frame.compress(body, content_checksum=True)
    small = packet(lz4.frame.compress(event_rows((-5, 1, 1, 1), (-4, 2, 2, 0))))
    path = tmp_path / "one.aedat4"
    wrong = body[:-4] + b"\2\0\0\0"  # a polarity of 2
    for damaged in (
        good[:-1] + bytes([good[-1] ^ 1]),
        lz4.frame.compress(wrong),
        lz4.frame.compress(body[:-16]),
        good[:-1],
    ):
        path.write_bytes(header(compression=1) + small + packet(damaged) + small)
        with pytest.raises(
            EventFileError,
            match=r"a packet cannot be decompressed|polarities above 1|70000 elements do not fit 1120016 bytes",
        ):
            read(path)
        with pytest.warns(UserWarning, match="kept what precedes it"):
            assert read(path, tolerant=True) == Events([-5, -4], [1, 2], [1, 2], [1, 0], (346, 260))
    path.write_bytes(header(compression=1) + small + packet(good) + packet(good))
    assert len(read(path, order="sort")) == 140_002


SILENT = flatbuffers.event_packet_head(0)
CLAIMED = flatbuffers.event_packet_head(1 << 23)  # 128 MiB of rows


@pytest.mark.parametrize(
    ("number", "body", "sentence"),
    [
        (1, lz4.frame.compress(SILENT + bytes(48 << 20)), "its 0 elements end before its 131072 bytes"),
        (1, lz4.frame.compress(CLAIMED + bytes(200_000)), "its 8388608 elements do not fit"),
        (3, zstandard.ZstdCompressor().compress(SILENT + bytes(1 << 30)), "its 0 elements end before its"),
        (3, zstandard.ZstdCompressor().compress(CLAIMED + bytes(200_000)), "its 8388608 elements do not fit"),
        (3, zstandard.ZstdCompressor(write_content_size=False).compress(SILENT + bytes(1 << 28)), "end before"),
        (0, CLAIMED + ROWS, "its 8388608 elements do not fit 64 bytes"),
        (1, lz4.frame.compress(flatbuffers.event_packet_head((1 << 24) + 1) + bytes(48 << 20)), "do not fit"),
    ],
    ids=["lz4", "lz4 claims", "zstd", "zstd claims", "zstd unsized", "none claims", "beyond a packet"],
)
def test_bombs_and_claims_take_no_memory(tmp_path: Path, number: int, body: bytes, sentence: str) -> None:
    path = tmp_path / "bomb.aedat4"
    path.write_bytes(header(compression=number) + packet(body))
    read_small(path)
    tracemalloc.start()
    with pytest.raises(EventFileError, match=sentence):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20, peak  # 256 bytes of ZSTD can hold 8 MiB, which are taken at a time


def read_small(path: Path) -> None:
    """Kernels are compiled before memory is looked at."""
    small = path.with_name("small.aedat4")
    write(small, EVENTS)
    read(small)


def test_a_packed_table_without_end_is_left_alone(tmp_path: Path) -> None:
    head = header(compression=3, table=1 << 20)
    rows = zstandard.ZstdCompressor().compress(event_rows((4, 1, 1, 1)))
    at = len(head) + 8 + len(rows)
    head = header(compression=3, table=at)
    (tmp_path / "one.aedat4").write_bytes(head + packet(rows) + zstandard.ZstdCompressor().compress(bytes(1 << 30)))
    read_small(tmp_path / "one.aedat4")
    tracemalloc.start()
    assert len(read(tmp_path / "one.aedat4", start_us=2)) == 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30 << 20


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
@pytest.mark.parametrize("start_us", [None, 25])
def test_a_thousand_mutations_are_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str, start_us: int | None
) -> None:
    monkeypatch.setattr("event_tools.formats.aedat4_writer.PACKET_EVENTS", 10)
    events = Events(np.arange(40), np.arange(40) * 3, np.arange(40), np.arange(40) % 2, (346, 260))
    write(tmp_path / "one.aedat4", events, compression=compression)
    data = (tmp_path / "one.aedat4").read_bytes()
    assert len(packets(data)) == 4
    reading = Reading(start_us=start_us)
    assert survives(data, "one.aedat4", reading, exact=compression != "none") > 300
