"""AEDAT 2.0: addresses by hand under every convention, time that wraps, headers, damage and real recordings."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import EventFileError, Events, info, iterate, read, write
from event_tools.formats.blocks import BLOCK
from event_tools.formats.reader import Reading
from tests.data import data_path
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import after_damage, recordings, written_and_read

MAGIC = b"#!AER-DAT2.0\r\n"
DAVIS = MAGIC + b"# AEChip: eu.seebetter.ini.chips.davis.Davis346red\r\n#End Of ASCII Header\r\n"


def records(*events: tuple[int, int]) -> bytes:
    """(address, microseconds) big-endian."""
    return b"".join(struct.pack(">Ii", address, t) for address, t in events)


def test_one_address_under_each_convention(tmp_path: Path) -> None:
    # 0x6bea: polarity bit 0, xf = 0x75 = 117, yf = 0x6b = 107: the chip's pixel (10, 20) from the top left, ON
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + records((0x6BEA, 7)))
    expected = {"jaer": (10, 20, 1), "spikingjelly": (20, 10, 1), "tonic": (107, 117, 0), "raw": (117, 107, 0)}
    for convention, place in expected.items():
        assert read(path, convention=convention) == Events([7], *([value] for value in place), (128, 128)), convention
    assert read(path) == read(path, convention="jaer")


def test_an_unknown_convention_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.aedat").write_bytes(MAGIC)
    with pytest.raises(EventFileError, match="convention to be jaer, spikingjelly, tonic, raw, got 'jear'"):
        read(tmp_path / "one.aedat", convention="jear")


def test_special_events_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + records((0x8000, 1), (0x0001, 2)))
    assert read(path) == Events([2], [127], [127], [0], (128, 128))


def test_time_wraps_at_31_bits_and_only_a_great_step_back_is_a_wrap(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + records((0, 0x7FFFFFFF), (0, -0x80000000), (0, -1), (0, 5)))
    assert read(path).t.tolist() == [(1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 32) + 5]
    path.write_bytes(MAGIC + records((0, 2_000_000_000), (0, 100)))  # a reset of the clock
    with pytest.raises(EventFileError, match=r"at byte 22: its times decrease at event 1 \(2000000000 to 100 us\)"):
        read(path)
    assert read(path, order="sort").t.tolist() == [100, 2_000_000_000]


def test_a_wrap_between_two_blocks_of_records_is_one(tmp_path: Path) -> None:
    n = BLOCK // 8
    rows = np.zeros((n + 2, 2), ">i4")
    rows[:n, 1], rows[n:, 1] = (1 << 31) - 1, -(1 << 31)
    (tmp_path / "one.aedat").write_bytes(MAGIC + rows.tobytes())
    assert np.array_equal(read(tmp_path / "one.aedat").t, np.repeat([(1 << 31) - 1, 1 << 31], [n, 2]))


@pytest.mark.parametrize("size", [(1 << 16) - 1, 1 << 16, (1 << 16) + 1, 200_000])
def test_preferences_of_any_length_may_stand_in_the_comments(tmp_path: Path, size: int) -> None:
    comment = b"#" + b"<entry/>" * 30_000
    (tmp_path / "one.aedat").write_bytes(MAGIC + comment[: size - len(MAGIC)] + b"\n# more\n" + records((0x6BEA, 7)))
    assert read(tmp_path / "one.aedat") == Events([7], [10], [20], [1], (128, 128))


def test_a_comment_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_tools.formats.comment_lines.MAX_HEADER", 1 << 17)
    (tmp_path / "one.aedat").write_bytes(MAGIC + b"#" * 1_000_000)
    with pytest.raises(EventFileError, match="at byte 196608: expected the end of a comment line, got 196594 bytes"):
        read(tmp_path / "one.aedat")


def test_davis_addresses_have_their_own_layout_and_rows_from_the_bottom(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    on = 259 << 22 | 3 << 12 | 1 << 11
    path.write_bytes(DAVIS + records((on, 1), (1 << 31 | on, 2), (on | 1 << 10, 3), (0, 4)))
    assert read(path) == Events([1, 4], [342, 345], [0, 259], [1, 0], (346, 260))
    assert read(path, convention="raw") == Events([1, 4], [3, 0], [259, 0], [1, 0], (346, 260))
    with pytest.raises(EventFileError, match="convention jaer or raw for a DAVIS recording, got 'tonic'"):
        read(path, convention="tonic")


def test_a_first_record_that_looks_like_a_comment_is_an_event(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(DAVIS + records((0x23000A00, 9)))  # begins with '#', holds a line feed
    assert read(path).t.tolist() == [9]


def test_the_camera_may_be_said_where_a_file_is_silent_or_wrong(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    address = 259 << 22 | 3 << 12 | 1 << 11
    path.write_bytes(MAGIC + records((address, 1)))
    assert read(path, camera="davis346") == Events([1], [342], [0], [1], (346, 260))
    with pytest.raises(
        EventFileError, match=r"at byte 14: expected events within 240x180, got address .* at \(3, 259\)"
    ):
        read(path, camera="davis240")
    path.write_bytes(MAGIC + records((0, 1), (346 << 12, 2)))  # the first column beyond the camera
    with pytest.raises(EventFileError, match=r"at byte 22: expected events within 346x260, got address 0x15a000 at"):
        read(path, camera="davis346")
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, camera="davis346", tolerant=True).t.tolist() == [1]
    with pytest.raises(EventFileError, match="camera to be dvs128, davis240, davis346, got 'dvs129'"):
        read(path, camera="dvs129")
    path.write_bytes(DAVIS + records((0x6BEA, 7)))
    assert read(path, camera="dvs128") == Events([7], [10], [20], [1], (128, 128))


def test_a_comment_line_that_is_no_text_is_refused_as_records_may_look_like_one(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + b"# AEChip: a.Davis346red\r\n" + records((0x23000A00, 9)))  # no mark at the header's end
    with pytest.raises(EventFileError, match="at byte 39: expected a comment line of text"):
        read(path)


def test_another_chip_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + b"# AEChip: ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c\r\n" + records((0, 1)))
    with pytest.raises(EventFileError, match="its chip is CochleaAMS1c; it is not read yet"):
        read(path)


def test_wide_addresses_without_a_chip_are_refused_by_place(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + records((0, 1), (0x10000, 2)))
    with pytest.raises(EventFileError, match=r"at byte 22: expected addresses of 16 bits.*got 0x10000; say camera"):
        read(path)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 0x7FFF), st.integers(0, (1 << 31) - 1)), max_size=20))
def test_every_address_is_a_pixel_and_conventions_are_turns_of_one_picture(
    tmp_path_factory: pytest.TempPathFactory, addresses: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("aedat2") / "one.aedat"
    path.write_bytes(MAGIC + records(*addresses))
    jaer, jelly, tonic, raw = (
        read(path, convention=name, order="sort") for name in ("jaer", "spikingjelly", "tonic", "raw")
    )
    assert len(jaer) == len(addresses)
    assert np.array_equal(jelly.x, jaer.y) and np.array_equal(jelly.y, jaer.x) and np.array_equal(jelly.p, jaer.p)
    assert np.array_equal(raw.x, 127 - jaer.x) and np.array_equal(raw.y, 127 - jaer.y)
    assert np.array_equal(tonic.x, raw.y) and np.array_equal(tonic.y, raw.x) and np.array_equal(tonic.p, 1 - jaer.p)


def test_cut_at_every_byte_it_is_refused_or_read_up_to_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    header = MAGIC + b"# This is a raw AE data file - do not edit\r\n"
    data = header + records((0x6BEA, 7), (0x6BEB, 8), (0x2200, 9))
    path.write_bytes(data)
    events = read(path)
    for size in range(len(data)):
        whole, extra = divmod(size - len(header), 8)
        ends_a_line = data[:size].endswith(b"\n")
        if size < len(header):
            expected = tolerated = events[:0] if ends_a_line else None
        else:
            expected, tolerated = events[:whole] if extra == 0 else None, events[:whole]
        assert after_damage(data[:size], "one.aedat") == expected, size
        assert after_damage(data[:size], "one.aedat", tolerant=True) == tolerated, size


HEADER = (
    b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
    b"# Data format is int32 address, int32 timestamp (8 bytes total), repeated for each event\r\n"
    b"# Timestamps tick is 1 us\r\n# Creation time: System.currentTimeMillis() 0\r\n"
)


def test_bytes_by_hand_are_written(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    end = b"#End Of ASCII Header\r\n"
    write(path, Events([7, 1 << 31], [10, 127], [20, 127], [1, 0], (128, 128)))
    chip = b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n"
    # the pixel of the address above, then (127, 127), OFF: address 1; the time is the most negative one
    assert path.read_bytes() == HEADER + chip + end + bytes.fromhex("00006bea 00000007  00000001 80000000")
    write(path, Events([-2], [342], [0], [1], (346, 260)))
    chip = b"# AEChip: eu.seebetter.ini.chips.davis.Davis346red\r\n"
    assert path.read_bytes() == HEADER + chip + end + struct.pack(">Ii", 259 << 22 | 3 << 12 | 1 << 11, -2)
    write(path, Events.empty((240, 180)))
    assert path.read_bytes() == HEADER + b"# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n" + end


@pytest.mark.parametrize("convention", ["jaer", "spikingjelly", "tonic", "raw"])
def test_each_convention_is_written_as_it_is_read(tmp_path: Path, convention: str) -> None:
    addresses = [(address, address) for address in range(0, 1 << 15, 37)]
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + records(*addresses))
    write(tmp_path / "two.aedat", read(path, convention=convention), convention=convention)
    assert (tmp_path / "two.aedat").read_bytes().endswith(b"Header\r\n" + records(*addresses))


def test_davis_has_no_other_tools_conventions(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match="convention jaer or raw for a DAVIS recording, got 'tonic'"):
        write(tmp_path / "one.aedat", Events.empty((240, 180)), convention="tonic")


def test_the_smallest_camera_is_chosen_and_a_smaller_sensor_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    for size, chip in (((34, 34), b"DVS128"), ((129, 1), b"DAVIS240C"), ((1, 181), b"Davis346red")):
        events = Events([1, 2], [size[0] - 1, 0], [0, size[1] - 1], [0, 1], size)
        write(path, events)
        assert chip + b"\r\n# Sensor size: %dx%d\r\n" % size in path.read_bytes()
        assert read(path) == events
    events = Events([1], [3], [4], [1], (34, 34))
    assert written_and_read(events, ".aedat", camera="davis240") == events
    write(path, events, camera="davis346", convention="raw")
    assert read(path, convention="raw") == Events([1], [3], [4], [1], (346, 260))


@pytest.mark.parametrize(
    "line", [b"# Sensor size: 129x5", b"# Sensor size: 0x5", b"# Sensor size: 5", b"# Sensor size: "]
)
def test_a_sensor_that_cannot_be_in_the_camera_is_not_believed(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "one.aedat").write_bytes(MAGIC + line + b"\r\n")
    assert read(tmp_path / "one.aedat").sensor_size == (128, 128)


def test_a_sensor_that_fits_no_camera_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match=r"fits a camera \(dvs128 128x128, .*\), got 640x480; crop it"):
        write(tmp_path / "one.aedat", Events.empty((640, 480)))
    with pytest.raises(EventFileError, match="got 129x128; crop it"):
        write(tmp_path / "one.aedat", Events.empty((129, 128)), camera="dvs128")
    assert list(tmp_path.iterdir()) == []


def test_rows_whose_records_begin_as_comments_do_are_written_and_read() -> None:
    for y in range(260 - 144, 260 - 140):  # 140 to 143 from the bottom: the first byte is '#'
        events = Events([0, 1], [0, 345], [y, y], [0, 1], (346, 260))
        assert written_and_read(events, ".aedat") == events


def test_a_silence_that_hides_a_wrap_is_refused_and_a_shorter_one_is_not(tmp_path: Path) -> None:
    def two(first: int, second: int) -> Events:
        return Events([first, second], [0, 0], [0, 0], [0, 0], (128, 128))

    for events in (
        two(1 << 30, (1 << 30) + (1 << 31) - 1),
        two(-(1 << 31), (1 << 31) - 1),
        two(-1, 0),
        two(5, 1 << 31),
    ):
        assert written_and_read(events, ".aedat") == events
    for events in (two(1 << 30, (1 << 30) + (1 << 31)), two(0, 1 << 40), two(-(1 << 31), 1 << 62)):
        with pytest.raises(EventFileError, match=f"silence of {events.duration_us} us before {events.t[1]} us; cut it"):
            write(tmp_path / "one.aedat", events)
    for first in (1 << 31, -(1 << 31) - 1):
        with pytest.raises(EventFileError, match=f"the first event is at {first} us; shift the times"):
            write(tmp_path / "one.aedat", two(first, 1 << 32))
    assert list(tmp_path.iterdir()) == []


def test_an_hour_and_more_is_written_in_parts_and_walked_across_wraps(tmp_path: Path) -> None:
    n = 300_000  # several blocks of records, 36,000 s: sixteen wraps
    rng = np.random.default_rng(1)
    events = Events(
        np.sort(rng.integers(-(1 << 31), 36_000_000_000, n)),
        rng.integers(0, 128, n), rng.integers(0, 128, n), rng.integers(0, 2, n), (128, 128),
    )  # fmt: skip
    write(tmp_path / "one.aedat", events)
    write(tmp_path / "two.aedat", (events[start : start + 77_777] for start in range(0, n, 77_777)))
    assert (tmp_path / "one.aedat").read_bytes() == (tmp_path / "two.aedat").read_bytes()
    assert read(tmp_path / "one.aedat") == events
    late = read(tmp_path / "one.aedat", start_us=20_000_000_000, stop_us=30_000_000_000)
    assert late == events[(events.t >= 20_000_000_000) & (events.t < 30_000_000_000)]
    parts = list(iterate(tmp_path / "one.aedat", events=100_000))
    assert [len(part) for part in parts] == [100_000] * 3 and parts[2] == events[200_000:]


@settings(deadline=None, max_examples=60)
@given(recordings(first_us=-(1 << 31), last_us=(1 << 31) - 1, side=180))
def test_what_is_written_is_read(events: Events) -> None:
    assert written_and_read(events, ".aedat") == events


def test_a_record_that_decreases_or_lies_outside_is_named_by_its_byte_past_special_ones(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat"
    path.write_bytes(MAGIC + records((0, 3), (0x8000, 3), (0, 4), (2, 5)))
    with pytest.raises(EventFileError, match=r"at byte 14: .*127x128, event 0 lies at \(127, 127\)"):
        read(path, sensor_size=(127, 128))
    path.write_bytes(MAGIC + records((0, 3), (0x8000, 3), (0, 1)))
    with pytest.raises(EventFileError, match="at byte 30: its times decrease at event 1"):
        read(path)


@pytest.mark.parametrize("size", [(128, 128), (346, 260)])
def test_a_thousand_mutations_are_survived(tmp_path: Path, size: tuple[int, int]) -> None:
    events = Events(np.arange(40) * 1000, np.arange(40) * 3, np.arange(40), np.arange(40) % 2, size)
    write(tmp_path / "one.aedat", events)
    assert survives((tmp_path / "one.aedat").read_bytes(), "one.aedat", Reading(order="sort")) > 300


def test_a_real_header_without_events_is_an_empty_recording_of_its_chip() -> None:
    answer = info(data_path("reader-fixtures/tonic/sample_aedat_header.aedat"))
    assert (answer.format, answer.events, answer.sensor_size) == ("aedat2", 0, (346, 260))
    assert answer.provenance["chip"] == "Davis346red"


def test_real_recordings_are_read_record_by_record() -> None:
    path = data_path("mnist-dvs/mnist_0_scale04_0001.aedat")
    data = path.read_bytes()
    at = 0
    while data[at] == ord("#"):
        at = data.index(b"\n", at) + 1
    expected = [struct.unpack_from(">Ii", data, place) for place in range(at, len(data), 8)]
    events = read(path, convention="raw")
    assert len(events) == len(expected) > 10_000
    assert events.t.tolist() == [t for _, t in expected]
    assert events.x.tolist() == [address >> 1 & 127 for address, _ in expected]
    assert events.y.tolist() == [address >> 8 & 127 for address, _ in expected]
    assert events.p.tolist() == [address & 1 for address, _ in expected]
