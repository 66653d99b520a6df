"""AEDAT 4: bytes by hand in two layouts, round trips, damage, declared sizes, and real recordings of DV."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping
from pathlib import Path

import lz4.frame
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import EventFileError, Events, info, read, write
from tests.data import data_path
from tests.event_tools.recordings import after_damage, recordings, written_and_read

MAGIC = b"#!AER-DAT4.0\r\n"
EVENTS = Events([5, 1 << 41], [1, 345], [2, 259], [1, 0], (346, 260))
# t i64, x i16, y i16, on u8, three bytes of nothing
ROWS = bytes.fromhex("0500000000000000 0100 0200 01 000000  0000000000020000 5901 0301 00 000000")
# size 60, root at 20; id; vtable of 6 bytes at 12 for a table of 8 with its field at 4; table, vector of two
PACKET = bytes.fromhex("3c000000 10000000 45565453 0000 0600 0800 0400 06000000 04000000 02000000") + ROWS
XML = (
    '<dv version="2.0"><node name="outInfo" path="/mainloop/Recorder/outInfo/"><node name="{stream}" path="/">'
    '<attr key="typeIdentifier" type="string">{kind}</attr><node name="info" path="/">'
    '<attr key="sizeX" type="int">346</attr><attr key="sizeY" type="int">260</attr></node></node></node></dv>'
)


def header(compression: int = 0, table: int = -1, xml: str = XML.format(stream=0, kind="EVTS")) -> bytes:
    """An IOHE whose vtable follows its table, the other way round than ours."""
    text = xml.encode()
    # positions from the size prefix: root table at 16 (vtable offset, string, position, compression), vtable at 40
    table_bytes = struct.pack("<iIqi4x", 16 - 40, 52 - 20, table, compression)
    vtable = struct.pack("<HHHHH2x", 10, 24, 16, 8, 4)
    body = struct.pack("<I4s4x", 16 - 4, b"IOHE") + table_bytes + vtable + struct.pack("<I", len(text)) + text + b"\0"
    return MAGIC + struct.pack("<I", len(body)) + body


def packet(body: bytes, stream: int = 0) -> bytes:
    return struct.pack("<ii", stream, len(body)) + body


def test_bytes_by_hand_are_read(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat4"
    path.write_bytes(header() + packet(PACKET))
    assert read(path) == EVENTS


def test_a_packet_compressed_by_lz4_is_read(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat4"
    path.write_bytes(header(compression=1) + packet(lz4.frame.compress(PACKET)))
    assert read(path) == EVENTS


def test_a_packet_laid_out_by_another_builder_is_read(tmp_path: Path) -> None:
    # root table at 24 after its vtable at 16, field at 8 of a table of 12, vector at 40: as builders that align do
    body = struct.pack("<I4s4x", 20, b"EVTS") + struct.pack("<HHH2x", 6, 12, 8)
    body += struct.pack("<iiI4x", 8, 0, 8) + struct.pack("<I", 2) + ROWS
    path = tmp_path / "one.aedat4"
    path.write_bytes(header() + packet(struct.pack("<I", len(body)) + body))
    assert read(path) == EVENTS


def test_a_packet_is_written_as_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat4"
    write(path, EVENTS, compression="none")
    data = path.read_bytes()
    assert data.startswith(MAGIC)
    (size,) = struct.unpack_from("<I", data, len(MAGIC))
    assert data[len(MAGIC) + 8 : len(MAGIC) + 12] == b"IOHE"
    assert data[len(MAGIC) + 4 + size :].startswith(packet(PACKET))


def test_the_table_of_packets_points_at_bodies(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat4"
    n = 25_000
    rng = np.random.default_rng(0)
    events = Events(
        np.arange(n) + 7, rng.integers(0, 346, n), rng.integers(0, 260, n), rng.integers(0, 2, n), (346, 260)
    )
    write(path, events)
    data = path.read_bytes()
    (size,) = struct.unpack_from("<I", data, len(MAGIC))
    at, places, lengths = len(MAGIC) + 4 + size, [], []
    for count in (10_000, 10_000, 5_000):
        stream, length = struct.unpack_from("<ii", data, at)
        body = lz4.frame.decompress(data[at + 8 : at + 8 + length])
        assert (stream, len(body)) == (0, 32 + 16 * count)
        places.append(at + 8)
        lengths.append(length)
        at += 8 + length
    assert struct.pack("<q", at) in data[:200]  # the header says where the table lies
    table = lz4.frame.decompress(data[at:])
    assert table[8:12] == b"FTAB"
    starts = [0, 10_000, 20_000]
    for place, length, start, count in zip(places, lengths, starts, (10_000, 10_000, 5_000), strict=True):
        entry = struct.pack("<ii4xqqqq", 0, length, place, count, start + 7, start + count + 6)
        assert entry in table


def test_the_header_tells_others_what_they_ask_for(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat4"
    write(path, EVENTS)
    text = path.read_bytes()[:2000].decode("latin-1")
    for key in ("compression", "originalModuleName", "originalOutputName", "typeDescription", "typeIdentifier"):
        assert f'key="{key}"' in text
    for attribute in ('"sizeX" type="int">346<', '"sizeY" type="int">260<', '"tsOffset" type="long">0<', '"source"'):
        assert attribute in text


@settings(deadline=None, max_examples=50)
@given(recordings(first_us=-(1 << 62), last_us=1 << 62), st.sampled_from(["none", "lz4", "zstd"]))
def test_what_is_written_is_read(events: Events, compression: str) -> None:
    assert written_and_read(events, ".aedat4", compression=compression) == events


def test_without_zstandard_its_packing_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(ImportError, match="pip install zstandard"):
        write(tmp_path / "one.aedat4", EVENTS, compression="zstd")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "one.aedat4").write_bytes(header(compression=3))
    with pytest.raises(ImportError, match="pip install zstandard"):
        read(tmp_path / "one.aedat4")


def test_provenance_comes_back_with_its_types(tmp_path: Path) -> None:
    told: Mapping[str, str | int | float | bool] = {
        "seed": 7, "placement": 'a <b> & "c"', "rate": 0.1, "anchored": True, "big": 1 << 62, "empty": "",
    }  # fmt: skip
    write(tmp_path / "one.aedat4", EVENTS, provenance=told)
    answer = info(tmp_path / "one.aedat4").provenance
    assert answer == told
    assert {key: type(value) for key, value in answer.items()} == {key: type(value) for key, value in told.items()}


def test_coordinates_beyond_15_bits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match="coordinates up to 32767, the sensor is 32769x10"):
        write(tmp_path / "one.aedat4", Events.empty((32769, 10)))


def test_an_unknown_compression_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match="compression to be lz4, none, zstd, got 'gzip'"):
        write(tmp_path / "one.aedat4", EVENTS, compression="gzip")


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_cut_at_every_byte_it_is_refused_or_reads_the_same(tmp_path: Path, compression: str) -> None:
    write(tmp_path / "one.aedat4", EVENTS, compression=compression)
    data = (tmp_path / "one.aedat4").read_bytes()
    (size,) = struct.unpack_from("<I", data, len(MAGIC))
    head = len(MAGIC) + 4 + size
    packet_end = head + 8 + struct.unpack_from("<i", data, head + 4)[0]
    for cut in range(len(data)):
        events = after_damage(data[:cut], "one.aedat4")
        assert events is None or events == EVENTS, cut
        expected = None if cut < head else EVENTS[:0] if cut < packet_end else EVENTS
        assert after_damage(data[:cut], "one.aedat4", tolerant=True) == expected, cut


def test_every_altered_byte_of_a_compressed_packet_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat4"
    write(path, EVENTS)
    data = path.read_bytes()
    (size,) = struct.unpack_from("<I", data, len(MAGIC))
    at = len(MAGIC) + 4 + size
    (length,) = struct.unpack_from("<i", data, at + 4)
    for place in range(at + 8, at + 8 + length):
        altered = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        assert after_damage(altered, "one.aedat4") in (None, EVENTS), place


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_altered_byte_is_an_event_file_error_or_a_recording(data: st.DataObject) -> None:
    whole = header() + packet(PACKET)
    place, value = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    after_damage(whole[:place] + bytes([value]) + whole[place + 1 :], "one.aedat4")


def test_a_tolerant_reader_keeps_the_packets_before_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "one.aedat4"
    later = Events(EVENTS.t + (1 << 42), EVENTS.x, EVENTS.y, EVENTS.p, EVENTS.sensor_size)
    rows = zip(later.t, later.x, later.y, later.p, strict=True)
    two = PACKET.replace(ROWS, b"".join(struct.pack("<qhhB3x", *row) for row in rows))
    whole = header(compression=1) + packet(lz4.frame.compress(PACKET)) + packet(lz4.frame.compress(two))
    assert len(after_damage(whole, "one.aedat4") or []) == 4
    path.write_bytes(whole[:-3])
    with pytest.raises(EventFileError, match="expected a packet that fits, it declares"):
        read(path)
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert read(path, tolerant=True) == EVENTS


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (header() + packet(PACKET[:28] + b"\0\0\0\x08" + ROWS), "its 134217728 elements do not fit 64 bytes"),
        (header() + struct.pack("<ii", 0, 1 << 30) + PACKET, "declares 1073741824 bytes of 64"),
        (header() + struct.pack("<ii", 0, -5) + PACKET, "declares -5 bytes of 64"),
        (header(compression=1) + packet(lz4.frame.compress(bytes(1 << 22))[:100]), "a packet cannot be decompressed"),
        (header() + packet(PACKET, stream=7), r"a packet of streams \[0\], got 7"),
        (header(compression=9) + packet(PACKET), "compression 9 is unknown"),
        (header(table=1 << 40) + packet(PACKET), "expected its packet table at byte 1099511627776, the packets end at"),
        (header(xml=XML.format(stream=0, kind="IMUS")), r"a stream of events \(EVTS\), its streams are IMUS"),
        (header(xml="<dv><node"), "its XML cannot be read"),
        (header(xml='<!DOCTYPE a [<!ENTITY b "c">]><dv/>'), "declares entities, which are refused"),
        (MAGIC + struct.pack("<I", 1 << 31), "its size of 2147483648 bytes does not fit the file"),
    ],
)  # fmt: skip
def test_a_declared_size_or_kind_that_cannot_be_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "one.aedat4"
    path.write_bytes(data)
    with pytest.raises(EventFileError, match=sentence):
        read(path)


@pytest.mark.parametrize(("x", "y"), [(-1, 2), (1, -2)])
def test_negative_coordinates_are_damage(tmp_path: Path, x: int, y: int) -> None:
    path = tmp_path / "one.aedat4"
    path.write_bytes(header() + packet(PACKET.replace(struct.pack("<hh", 1, 2), struct.pack("<hh", x, y))))
    with pytest.raises(EventFileError, match="negative coordinates"):
        read(path)


def test_a_real_recording_of_a_dvxplorer() -> None:
    path = data_path("reader-fixtures/tonic/sample.aedat4")
    answer = info(path)
    assert (answer.format, answer.version, answer.sensor_size) == ("aedat4", "4.0", (320, 240))
    assert (answer.events, answer.first_us, answer.last_us) == (111954, 1605537493718345, 1605537494308262)
    assert answer.streams["imu"] == 475
    assert len(read(path, start_us=1605537494000000)) == int((read(path).t >= 1605537494000000).sum()) > 0


def test_a_real_recording_of_a_davis_with_frames_imu_and_triggers() -> None:
    answer = info(data_path("reader-fixtures/event-vision-library/sample.aedat4"))
    assert answer.sensor_size == (346, 260)
    assert answer.streams == {"events": 6676, "frames": 4, "imu": 160, "triggers": 17}


def test_a_real_recording_survives_a_round_trip(tmp_path: Path) -> None:
    events = read(data_path("reader-fixtures/tonic/sample.aedat4"))
    write(tmp_path / "one.aedat4", events)
    assert read(tmp_path / "one.aedat4") == events


def test_a_real_recording_that_is_cut_keeps_whole_packets() -> None:
    source = data_path("reader-fixtures/event-vision-library/sample.aedat4")
    events, data = read(source), source.read_bytes()
    lengths = set()
    for cut in np.linspace(20_000, len(data) - 1, 12).astype(int):
        assert after_damage(data[:cut], "one.aedat4") in (None, events)
        tolerated = after_damage(data[:cut], "one.aedat4", tolerant=True)
        assert tolerated is not None and tolerated == events[: len(tolerated)]
        lengths.add(len(tolerated))
    assert len(lengths) > 5
