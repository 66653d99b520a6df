"""AEDAT 3: packets by hand, invalid events, overflow, other kinds and sources, damage, and real gestures."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from event_tools import EventFileError, Events, info, iterate, read, write
from event_tools.formats.reader import Reading
from tests.data import data_path
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import after_damage, recordings, written_and_read

START = b"#Start-Time: 1970-01-01 00:00:00 (TZ+0000)\r\n"
HEAD = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n" + START + b"#!END-HEADER\r\n"
# (10, 20, ON) at 7 us and (127, 0, OFF) at 9 us: bit 0 valid, bit 1 polarity, bits 2 to 16 y, bits 17 to 31 x
ROWS = struct.pack("<IiIi", 10 << 17 | 20 << 2 | 0b11, 7, 127 << 17 | 0b01, 9)
EVENTS = Events([7, 9], [10, 127], [20, 0], [1, 0], (128, 128))


def packet(
    rows: bytes, kind: int = 1, source: int = 1, overflow: int = 0, spare: int = 0, valid: int = -1, size: int = 8
) -> bytes:
    """`spare`: events for which there is room but which do not count."""
    n = len(rows) // size
    return struct.pack("<hhiiiiii", kind, source, size, 4, overflow, n + spare, n, n if valid < 0 else valid) + (
        rows + b"\xff" * size * spare
    )


def file(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "one.aedat").write_bytes(data)
    return tmp_path / "one.aedat"


def test_bytes_by_hand_are_read(tmp_path: Path) -> None:
    path = file(tmp_path, HEAD + packet(ROWS[:8]) + packet(ROWS[8:]))
    assert read(path) == EVENTS
    answer = info(path)
    assert (answer.format, answer.version, answer.streams) == ("aedat3", "3.1", {"events": 2})


def test_bytes_by_hand_are_written(tmp_path: Path) -> None:
    write(tmp_path / "one.aedat", EVENTS, format="aedat3")
    assert (tmp_path / "one.aedat").read_bytes() == HEAD + packet(ROWS)


def test_invalid_events_are_dropped_and_spare_room_is_passed_over(tmp_path: Path) -> None:
    invalid = struct.pack("<Ii", 5 << 17 | 0b10, 8)
    path = file(tmp_path, HEAD + packet(ROWS[:8] + invalid + ROWS[8:], spare=3, valid=2) + packet(ROWS[8:]))
    assert read(path).t.tolist() == [7, 9, 9]
    assert read(path)[:2] == EVENTS


def test_a_packets_overflow_counts_from_bit_31(tmp_path: Path) -> None:
    path = file(tmp_path, HEAD + packet(ROWS) + packet(ROWS, overflow=3))
    assert read(path).t.tolist() == [7, 9, 3 * 2**31 + 7, 3 * 2**31 + 9]


def test_a_new_overflow_begins_a_packet(tmp_path: Path) -> None:
    events = Events([5, (1 << 31) - 1, 1 << 31, (1 << 40) + 3], [1, 2, 3, 4], [0, 0, 0, 0], [0, 0, 0, 0], (128, 128))
    write(tmp_path / "one.aedat", events, format="aedat3")
    rows = [
        struct.pack("<Ii", x << 17 | 1, int(t) & 0x7FFFFFFF) for x, t in zip(events.x.tolist(), events.t, strict=True)
    ]
    expected = packet(rows[0] + rows[1]) + packet(rows[2], overflow=1) + packet(rows[3], overflow=512)
    assert (tmp_path / "one.aedat").read_bytes() == HEAD + expected
    assert read(tmp_path / "one.aedat") == events


def test_other_kinds_of_packets_are_counted(tmp_path: Path) -> None:
    data = packet(bytes(8 * 2), kind=0) + packet(ROWS) + packet(bytes(100 * 3), kind=2, size=100)
    data += (
        packet(bytes(36 * 5), kind=3, size=36) + packet(bytes(48), kind=4, size=48) + packet(bytes(9), kind=99, size=9)
    )
    answer = info(file(tmp_path, HEAD + data))
    assert answer.streams == {"events": 2, "special": 2, "frames": 3, "imu": 6, "type 99": 1}
    assert read(tmp_path / "one.aedat") == EVENTS


def test_one_source_is_read_that_of_the_first_events_or_by_number(tmp_path: Path) -> None:
    head = HEAD.replace(b"DVS128\r\n", b"DVS128\r\n#Source 2: DAVIS240C\r\n")
    path = file(tmp_path, head + packet(b"", source=2) + packet(ROWS, source=1) + packet(ROWS[8:], source=2))
    assert read(path) == EVENTS
    assert read(path, member=2) == Events([9], [127], [0], [0], (240, 180))
    assert read(path, member="2") == read(path, member=2)
    assert info(path).streams == {"events": 2, "events of other sources": 1}
    with pytest.raises(EventFileError, match="member to be the number of a source, got 'left'"):
        read(path, member="left")


def test_version_3_0_counts_rows_from_the_bottom_and_has_no_end_line(tmp_path: Path) -> None:
    head = b"#!AER-DAT3.0\r\n#Format: RAW\r\n#Source 1: DVS128\r\n" + START
    path = file(tmp_path, head + packet(ROWS))
    assert read(path) == Events([7, 9], [10, 127], [107, 127], [1, 0], (128, 128))
    assert info(path).version == "3.0"
    path = file(tmp_path, head.replace(b"DVS128", b"Unknown") + packet(ROWS))
    with pytest.raises(EventFileError, match="counts rows from the bottom of a sensor it does not name"):
        read(path)
    assert read(path, sensor_size=(200, 100)).y.tolist() == [79, 99]
    with pytest.raises(EventFileError, match="expected times of 31 bits and rows of the sensor"):
        read(path, sensor_size=(200, 20))


@pytest.mark.parametrize(
    ("name", "size"),
    [("DVS128", (128, 128)), ("DAVIS240C", (240, 180)), ("DAVIS346B", (346, 260)), ("DAVIS640", (640, 480))],
)
def test_the_source_gives_the_sensors_size(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    path = file(tmp_path, HEAD.replace(b"DVS128", name.encode()))
    assert read(path) == Events.empty(size)
    write(tmp_path / "two.aedat", Events.empty(size), format="aedat3")
    assert (tmp_path / "two.aedat").read_bytes() == path.read_bytes()


def test_an_unknown_source_asks_for_the_sensors_size(tmp_path: Path) -> None:
    path = file(tmp_path, HEAD.replace(b"DVS128", b"Network") + packet(ROWS))
    with pytest.raises(EventFileError, match=r"unknown \(largest x, y: 127, 20\); give sensor_size"):
        read(path)
    assert read(path, sensor_size=(128, 128)) == EVENTS


@pytest.mark.parametrize("size", [(34, 34), (1280, 720), (32768, 1)])
def test_a_sensor_that_is_no_cameras_comes_back(tmp_path: Path, size: tuple[int, int]) -> None:
    events = Events([0, 1], [size[0] - 1, 0], [0, size[1] - 1], [1, 0], size)
    write(tmp_path / "one.aedat", events, format="aedat3")
    assert b"\r\n# Sensor size: %dx%d\r\n#!END-HEADER\r\n" % size in (tmp_path / "one.aedat").read_bytes()
    assert read(tmp_path / "one.aedat") == events


@settings(deadline=None, max_examples=60)
@given(recordings(last_us=(1 << 62) - 1))
def test_what_is_written_is_read(events: Events) -> None:
    assert written_and_read(events, ".aedat", format="aedat3") == events


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        (Events([-1], [0], [0], [1], (34, 34)), "holds times 0 to 4611686018427387903 us, got -1 to -1; shift them"),
        (Events([1 << 62], [0], [0], [1], (34, 34)), "got 4611686018427387904 to 4611686018427387904"),
        (Events.empty((32769, 1)), "coordinates up to 32767, the sensor is 32769x1; crop it"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path: Path, events: Events, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        write(tmp_path / "one.aedat", events, format="aedat3")
    assert list(tmp_path.iterdir()) == []


def test_written_in_parts_it_is_the_same_file_and_it_is_walked_across_blocks(tmp_path: Path) -> None:
    n = 300_000
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 1 << 33, n))
    events = Events(t, rng.integers(0, 346, n), rng.integers(0, 260, n), rng.integers(0, 2, n), (346, 260))
    write(tmp_path / "one.aedat", events, format="aedat3")
    parts = (events[start : start + 7_777] for start in range(0, n, 7_777))
    write(tmp_path / "two.aedat", parts, format="aedat3")
    assert (tmp_path / "one.aedat").read_bytes() == (tmp_path / "two.aedat").read_bytes()
    assert read(tmp_path / "one.aedat") == events
    parts = list(iterate(tmp_path / "one.aedat", events=100_000))
    assert [len(part) for part in parts] == [100_000] * 3 and parts[2] == events[200_000:]


def test_packets_larger_than_a_block_are_read_piece_by_piece_or_passed_over(tmp_path: Path) -> None:
    n = 150_000  # 1.2 MB, a block has 1 MiB
    rows = np.zeros((n, 2), "<u4")
    rows[:, 0], rows[:, 1] = (np.arange(n) % 128) << 17 | 3, np.arange(n)
    rows[5, 0] -= 1  # not valid
    frame = packet(bytes(1_200_000), kind=2, size=1_200_000)
    path = file(
        tmp_path, HEAD + packet(ROWS[:8]) + frame + packet(rows.tobytes(), spare=9, valid=n - 1) + packet(ROWS[8:])
    )
    events = read(path, order="sort")
    assert sorted(events.t.tolist()) == sorted([7, *range(5), *range(6, n), 9])
    assert info(path).streams == {"events": n + 1, "frames": 1}
    path = file(tmp_path, HEAD + packet(rows.tobytes(), valid=n))
    with pytest.raises(EventFileError, match=f"with {n} valid events of {n}, it has another number"):
        read(path)
    with pytest.warns(UserWarning, match="another number of them; kept what precedes it"):
        assert len(read(path, tolerant=True)) == n - 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (packet(ROWS)[:-1], r"at byte 105: expected a packet that fits, it declares 16 bytes of 15"),
        (packet(ROWS) + packet(ROWS)[:27], r"at byte 149: expected a packet header of 28 bytes, 27 are left"),
        (packet(ROWS, spare=1 << 27)[:44], "declares 1073741840 bytes of 16"),
        (packet(ROWS, valid=1), "with 1 valid events of 2, it has another number of them"),
        (packet(ROWS, valid=3), "expected a packet header, got type 1, events of 8 bytes, 3 valid of 2 of 2"),
        (packet(ROWS, kind=-3), "expected a packet header, got type -3"),
        (packet(ROWS, size=16), "got type 1, events of 16 bytes"),
        (packet(ROWS, overflow=-1), "expected a packet header"),
        (packet(struct.pack("<Ii", 1, -5)), "expected times of 31 bits"),
    ],
)  # fmt: skip
def test_a_packet_that_cannot_be_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = file(tmp_path, HEAD + data)
    with pytest.raises(EventFileError, match=sentence):
        read(path)
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, tolerant=True) == (EVENTS if data.startswith(packet(ROWS)) else EVENTS[:0])


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (HEAD.replace(b"3.1", b"3.2"), "expected AEDAT 3.0 or 3.1, it begins with b'#!AER-DAT3.2'"),
        (HEAD.replace(b"RAW", b"SerializedTS"), r"as they are \(#Format: RAW\), got b'#Format: SerializedTS'"),
        (HEAD[:-14], "the header's last line, #!END-HEADER"),
        (HEAD[:-1], "expected the end of a comment line, got 13 bytes of it without one"),
        (HEAD[1:], "expected a known suffix or header|expected a header"),
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path: Path, head: bytes, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        read(file(tmp_path, head))


def test_cut_at_every_byte_it_is_refused_or_keeps_whole_packets(tmp_path: Path) -> None:
    data = HEAD + packet(ROWS[:8]) + packet(ROWS[8:])
    ends = [len(HEAD), len(HEAD) + 36, len(HEAD) + 72]
    for size in range(len(data)):
        whole = sum(size >= end for end in ends) - 1
        assert after_damage(data[:size], "one.aedat") == (EVENTS[:whole] if size in ends else None), size
        assert after_damage(data[:size], "one.aedat", tolerant=True) == (EVENTS[:whole] if whole >= 0 else None), size


def test_a_thousand_mutations_are_survived(tmp_path: Path) -> None:
    rows = [struct.pack("<Ii", i * 3 << 17 | i << 2 | 3, i) for i in range(40)]
    data = HEAD + packet(bytes(24), kind=0) + b"".join(packet(b"".join(rows[i : i + 10])) for i in range(0, 40, 10))
    assert survives(data, "one.aedat", Reading(order="sort")) > 500


def test_a_real_gesture_is_read_event_by_event(tmp_path: Path) -> None:
    path = data_path("reader-fixtures/derived/dvsgesture_class2_first300ms.aedat31.aedat")
    raw = np.fromfile(data_path("dvs128-gesture/2.bs2"), np.uint8).reshape(-1, 5).astype(np.int64)
    t = (raw[:, 2] & 127) << 16 | raw[:, 3] << 8 | raw[:, 4]
    part = t < 300_000
    events = read(path)
    assert events == Events(t[part], raw[part, 0], raw[part, 1], raw[part, 2] >> 7, (128, 128))
    assert len(events) == 17206
    write(tmp_path / "one.aedat", events, format="aedat3")
    time = path.read_bytes().index(b"#Start-Time")
    ours = (tmp_path / "one.aedat").read_bytes()
    assert ours.partition(b"#!END-HEADER")[2] == path.read_bytes().partition(b"#!END-HEADER")[2]
    assert ours[:time] == path.read_bytes()[:time]
