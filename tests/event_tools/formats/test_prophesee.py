"""What DAT and the three RAW encodings share: heads, and blocks whose borders nobody sees."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import EventFileError, Events, info, read, write
from event_tools.finding import FORMATS, open_reader
from event_tools.formats import dat, prophesee_words
from event_tools.formats.prophesee_words import WordReader
from event_tools.formats.reader import Reading
from tests.data import data_path

RAW = {"evt2": b"EVT2", "evt21": b"EVT21", "evt3": b"EVT3"}
VERSION = {"evt2": b"2.0", "evt21": b"2.1", "evt3": b"3.0"}
WORD = {"dat": 8, "evt2": 4, "evt21": 8, "evt3": 2}
EMPTY = Events.empty((64, 48))


def at(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "one.raw").write_bytes(data)
    return tmp_path / "one.raw"


@pytest.mark.parametrize("format", RAW)
@pytest.mark.parametrize(
    "lines",
    [
        b"% format NAME;height=48;width=64\n",
        b"% format NAME;width=64;height=48\n% end\n",
        b"% evt VERSION\n% geometry 64x48\r\n",
        b"% Date 2020-09-25 07:48:29\n% width 64\n% height 48\n% evt VERSION\n",
    ],
)
def test_heads_of_all_years_name_encoding_and_size(tmp_path: Path, format: str, lines: bytes) -> None:
    path = at(tmp_path, lines.replace(b"NAME", RAW[format]).replace(b"VERSION", VERSION[format]))
    assert read(path) == EMPTY
    assert info(path).format == format


@pytest.mark.parametrize(("system", "size"), [(48, (1280, 720)), (41, (640, 480)), (9999, None)])
def test_a_camera_that_is_known_gives_the_size_that_the_head_lacks(
    tmp_path: Path, system: int, size: tuple[int, int] | None
) -> None:
    assert info(at(tmp_path, b"%% evt 3.0\n%% system_ID %d\n" % system)).sensor_size == size


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (b"% evt 3.0\n% format EVT2;height=48;width=64\n", "expected one encoding in its head, got evt2 and evt '3.0'"),
        (b"% format EVT2;height=48;width=64\n% geometry 64x49\n", "expected one sensor size .*, got 64x48|64x49"),
        (b"% evt 2.0\n% geometry 64 x 48\n", "expected one sensor size .*, got 64 x 48"),
        (b"% format EVT2;width=64\n", "expected one sensor size .*, got 64"),
        (b"% evt 2.0\n% geometry 64x0\n", "expected one sensor size .*, got 64x0"),
        (b"% evt 2.0\n% geometry 64x48", "at byte 10: expected its head to be lines of text that begin with %"),
        (b"% evt 2.0\n% geo\x01metry 64x48\n% end\n", "at byte 10: expected its head to be lines of text"),
        (b"% evt 2.0\n$ geometry 64x48\n% end\n", "at byte 10: expected its head to be lines of text"),
    ],
)
def test_heads_that_contradict_themselves_or_are_damaged_are_refused(
    tmp_path: Path, head: bytes, sentence: str
) -> None:
    with pytest.raises(EventFileError, match=sentence):
        read(at(tmp_path, head))


def test_a_format_that_the_head_denies_is_refused(tmp_path: Path) -> None:
    path = at(tmp_path, b"% evt 3.0\n% geometry 64x48\n")
    with pytest.raises(EventFileError, match="expected evt2 data, its head says 'evt3'; say format='evt3'"):
        read(path, format="evt2")
    with pytest.raises(EventFileError, match="expected dat data, its head says 'evt3'"):
        read(path, format="dat")
    path = at(tmp_path, b"% format HISTO3D;height=48;width=64\n")
    with pytest.raises(EventFileError, match="expected evt3 data, its head says 'HISTO3D'"):
        read(path, format="evt3")


def test_a_raw_file_without_a_head_asks_for_its_encoding(tmp_path: Path) -> None:
    path = at(tmp_path, bytes.fromhex("0080 0060 0000 0028"))
    with pytest.raises(EventFileError, match="expected a header of evt2, evt21, evt3"):
        read(path)
    assert read(path, format="evt3", sensor_size=(64, 48)) == Events([0], [0], [0], [1], (64, 48))


def test_data_that_begin_with_a_percent_sign_are_data(tmp_path: Path) -> None:
    # TIME_HIGH 0x2025 is "% \0\x80"; without "% end" only its being no text tells that the head is over
    words = bytes.fromhex("25200080 0a0ac010")
    for end in (b"% end\n", b""):
        events = read(at(tmp_path, b"% evt 2.0\n% geometry 640x480\n" + end + words), sensor_size=(2048, 2048))
        assert events.t.tolist() == [0x2025 << 6 | 3]


def test_a_written_head_ends_so_that_any_first_time_can_be_read(tmp_path: Path) -> None:
    for high in (0x2025, 0x0A202025 & 0xFFFFFFF):
        events = Events([high << 6], [0], [0], [1], (64, 48))
        write(tmp_path / "one.raw", events, format="evt2")
        assert read(tmp_path / "one.raw") == events


@pytest.mark.parametrize("format", WORD)
def test_blocks_of_one_word_give_the_same_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    rng = np.random.default_rng(1)
    n = 300
    events = Events(
        np.cumsum(rng.choice([0, 0, 0, 1, 70, 5000, 1 << 24], n)),
        rng.integers(0, 64, n),
        np.repeat(rng.integers(0, 48, n // 10), 10),
        np.repeat(rng.integers(0, 2, n // 20), 20),
        (64, 48),
    )
    events = Events(events.t, np.sort(events.x.reshape(-1, 10)).ravel(), events.y, events.p, (64, 48))
    path = tmp_path / "one"
    write(path, events, format=format)
    whole = read(path, format=format)
    assert whole == events
    for klass in WordReader.__subclasses__():
        monkeypatch.setattr(klass, "block", 1)
    assert read(path, format=format) == whole
    start, stop = int(events.t[100]), int(events.t[200])
    kept = (events.t >= start) & (events.t < stop)
    assert read(path, format=format, start_us=start, stop_us=stop) == events[kept]


KINDS = {"evt2": (0, 1, 8, 10), "evt21": (0, 1, 8, 10), "evt3": (0, 2, 3, 3, 4, 4, 5, 6, 8, 10)}
TYPES = {"evt2": "<u4", "evt21": "<u8", "evt3": "<u2"}


@st.composite
def any_words(draw: st.DrawFn, format: str) -> list[int]:
    """Words of all kinds in any sequence, a stray continuation among them at times; x stays small."""
    bits = 8 * WORD[format] - 4
    words: list[int] = []
    for kind in draw(st.lists(st.sampled_from((*KINDS[format], 14)), max_size=60)):
        value = draw(st.integers(0, (1 << bits) - 1))
        if format == "evt3" and kind == 3:
            value &= 0x83F
        if format == "evt21" and kind < 2:
            value &= ~(0x7C0 << 43)
        words.append(kind << bits | (value & 0x7FF if (format, kind) == ("evt3", 0) else value))
        if kind == 14:
            words += [15 << bits] * draw(st.integers(0, 3))
    if draw(st.integers(0, 9)) == 0:
        words.insert(draw(st.integers(0, len(words))), 15 << bits)
    return words


@pytest.mark.parametrize("format", RAW)
@settings(deadline=None, max_examples=60)
@given(data=st.data(), size=st.integers(1, 9))
def test_any_words_mean_the_same_in_blocks_of_any_size(format: str, data: st.DataObject, size: int) -> None:
    words = np.array(data.draw(any_words(format)), TYPES[format])
    camera = data.draw(st.sampled_from([b"", b"% system_ID 48\n"]))
    file = b"% evt " + VERSION[format] + b"\n" + camera + b"% end\n" + words.tobytes()

    def decoded(block: int) -> tuple[list[tuple[int, ...]], dict[str, int], str]:
        path, out, why = Path("one.raw"), [], ""
        reading = Reading(endianness="little" if format == "evt21" else None)
        reader = open_reader(BytesIO(file), path, reading)[1]
        assert isinstance(reader, WordReader)
        reader.block = block
        try:
            for part in reader.chunks():
                out.extend(zip(part.t.tolist(), part.x.tolist(), part.y.tolist(), part.p.tolist(), strict=True))
        except EventFileError as error:
            why = str(error)
        return out, reader.streams, why

    assert decoded(size * WORD[format]) == decoded(1 << 20)


@pytest.mark.parametrize("size", [*range(1, 9), 64, 65])
def test_a_long_stream_of_evt3_means_the_same_in_blocks_of_any_size(tmp_path: Path, size: int) -> None:
    rng = np.random.default_rng(2)
    kinds = np.r_[8, 0, 3, rng.choice([0, 2, 3, 4, 4, 4, 5, 5, 6, 6, 8], 5000)]
    values = rng.integers(0, 1 << 12, len(kinds)) & np.select([kinds == 3, kinds == 0], [0x83F, 0x7FF], 0xFFF)
    file = b"% evt 3.0\n% end\n" + (kinds << 12 | values).astype("<u2").tobytes()

    def decoded(block: int) -> list[tuple[int, ...]]:
        reader = open_reader(BytesIO(file), Path("one.raw"), Reading())[1]
        assert isinstance(reader, WordReader)
        reader.block = block
        return [e for c in reader.chunks() for e in zip(*(x.tolist() for x in (c.t, c.x, c.y, c.p)), strict=True)]

    whole = decoded(1 << 20)
    assert len(whole) > 10000
    assert decoded(2 * size) == whole


def test_blocks_that_end_before_the_window_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events(np.arange(10) * 100, [0] * 10, [0] * 10, [1] * 10, (64, 48))
    for format in WORD:
        path = tmp_path / "one"
        write(path, events, format=format)
        with path.open("rb") as file:
            reader = open_reader(file, path, Reading(format=format, start_us=700))[1]
            assert isinstance(reader, WordReader)
            reader.block = WORD[format]
            assert sum(len(part) for part in reader.chunks(start_us=700)) == 3


def test_wraps_of_dat_are_counted_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [0xFFFFFFF0, 0x10, 0xFFFFFFFF, 0x00]
    path = tmp_path / "one.dat"
    path.write_bytes(b"% Version 2\n\x0c\x08" + b"".join(time.to_bytes(4, "little") + bytes(4) for time in times))
    monkeypatch.setattr(dat._DatReader, "block", 8)
    assert read(path).t.tolist() == [0xFFFFFFF0, 0x100000010, 0x1FFFFFFFF, 0x200000000]


@pytest.mark.parametrize(("format", "words"), [("evt2", 101), ("evt21", 101), ("evt3", 103)])
def test_a_new_block_of_a_writer_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str, words: int
) -> None:
    monkeypatch.setattr(prophesee_words, "EVENTS", 16)
    same = np.full(100, 1 << 25)
    events = Events(same, np.zeros(100, np.uint16), np.zeros(100, np.uint16), np.ones(100, np.uint8), (64, 48))
    write(tmp_path / "one", events, format=format)
    data = (tmp_path / "one").read_bytes()
    wraps = 3 if format == "evt3" else 0  # 0xFFF, 0x000, 0xFFF, 0x000 instead of one TIME_HIGH
    assert len(data[data.index(b"% end\n") + 6 :]) == WORD[format] * (words + wraps)
    assert read(tmp_path / "one") == events


@pytest.mark.parametrize("format", WORD)
def test_bytes_do_not_depend_on_how_a_recording_is_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(prophesee_words, "EVENTS", 16)
    n = 100
    x = np.arange(n) % 25
    events = Events(np.arange(n) // 50, x, np.zeros(n, np.uint16), np.ones(n, np.uint8), (64, 48))
    write(tmp_path / "whole", events, format=format)
    for size in (1, 7, 16, 33, 99):
        write(tmp_path / "parts", (events[i : i + size] for i in range(0, n, size)), format=format)
        assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes(), size
    assert read(tmp_path / "whole", format=format) == events


@pytest.mark.parametrize("format", WORD)
def test_real_recordings_of_two_sensors_come_back_equal(tmp_path: Path, format: str) -> None:
    for name in ("dvs128-gesture/2.bs2", "mnist-dvs/mnist_0_scale04_0001.aedat"):
        events = read(data_path(name), sensor_size=(128, 128))
        write(tmp_path / "one", events, format=format)
        assert read(tmp_path / "one") == events


def test_what_faery_took_from_all_times_is_added_again(tmp_path: Path) -> None:
    path = at(tmp_path, b"% evt 2.0\n% geometry 64x48\n% t0 7590\n" + bytes.fromhex("00000080 000040 10"))
    assert read(path).t.tolist() == [7591]
    assert len(read(path, start_us=7591)) == 1
    data = b"% Version 2\n% Width 64\n% Height 48\n% T0 7590\n\x0c\x08" + bytes.fromhex("01000000 00000000")
    assert read(at(tmp_path, data)).t.tolist() == [7591]
    with pytest.raises(EventFileError, match="expected microseconds as t0 in its head, got '-1'"):
        read(at(tmp_path, data.replace(b"7590", b"-1")))


def test_all_four_are_known_by_name() -> None:
    assert list(FORMATS)[list(FORMATS).index("dat") :][:4] == ["dat", "evt2", "evt21", "evt3"]
