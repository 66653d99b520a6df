"""Events as text: heads, separators, units to the digit, polarities, what is refused, damage and a real file."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from event_tools import EventFileError, Events, info, iterate, read, write
from event_tools.formats.reader import Reading
from tests.data import data_path
from tests.event_tools.hostile import survives
from tests.event_tools.recordings import after_damage, recordings, written_and_read

EVENTS = Events([654, 700], [12, 0], [30, 33], [1, 0], (34, 34))
TEXT = b"t,x,y,p,time_unit=us,sensor_size=34x34\n654,12,30,1\n700,0,33,0\n"
LIMITS = Events(
    [-(1 << 63), -1000001, -1, 0, (1 << 63) - 1], [0, 9, 10, 65535, 1], [5, 4, 3, 2, 1], [0, 1, 0, 1, 0], (65536, 9)
)


def stored(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "one.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_lines_by_hand_are_written_however_the_recording_is_divided(tmp_path: Path) -> None:
    write(tmp_path / "one.csv", EVENTS)
    assert (tmp_path / "one.csv").read_bytes() == TEXT
    write(tmp_path / "one.csv", iter([EVENTS[:0], EVENTS[:1], EVENTS[1:]]))
    assert (tmp_path / "one.csv").read_bytes() == TEXT
    write(tmp_path / "one.txt", EVENTS)
    assert (tmp_path / "one.txt").read_bytes() == TEXT.replace(b",", b" ")


def test_seconds_are_written_to_the_digit(tmp_path: Path) -> None:
    write(tmp_path / "one.csv", LIMITS, time_unit="s")
    assert (tmp_path / "one.csv").read_text() == (
        "t,x,y,p,time_unit=s,sensor_size=65536x9\n"
        "-9223372036854.775808,0,5,0\n-1.000001,9,4,1\n-0.000001,10,3,0\n0.000000,65535,2,1\n9223372036854.775807,1,1,0\n"
    )
    assert read(tmp_path / "one.csv") == LIMITS


def test_microseconds_are_written_to_the_digit(tmp_path: Path) -> None:
    write(tmp_path / "one.csv", LIMITS)
    times = [line.split(",")[0] for line in (tmp_path / "one.csv").read_text().splitlines()[1:]]
    assert times == ["-9223372036854775808", "-1000001", "-1", "0", "9223372036854775807"]
    assert read(tmp_path / "one.csv") == LIMITS


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "654 12 30 1\n700 0 33 0",
        "34 34\n654 12 30 1\n700 0 33 0\n",
        "\n# a comment\n\n654,12,30,1\r\n# another one\r\n700, 0 ,33, 0\r\n\r\n",
        "\ufeffX;Y;Polarity;Timestamp\n12;30;1;654\n0;33;0;700\n",
        "frame\tts\txs\tys\tps\n9.5\t654\t12\t30\t1\nx\t700\t0\t33\t0\n",
        "# x y t p\n12 30 654 1\n0 33 700 0\n",
        "654 12 30 True\n700 0 33 False\n",
        "654 12 30 1\n700 0 33 -1\n",
        "+654 012 30.0 1.0\n0700 0e0 3.3e1 0\n",
    ],
)
def test_many_ways_to_write_the_same_are_read(tmp_path: Path, text: str | bytes) -> None:
    assert read(stored(tmp_path, text), sensor_size=(34, 34)) == EVENTS


def test_numpys_own_text_is_read(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "one.txt", np.stack([EVENTS.t, EVENTS.x, EVENTS.y, EVENTS.p], 1), header="t x y p")
    assert read(tmp_path / "one.txt", sensor_size=(34, 34), time_unit="us") == EVENTS
    np.savetxt(tmp_path / "one.txt", np.stack([EVENTS.x, EVENTS.y, EVENTS.t / 1e6, EVENTS.p], 1))
    assert read(tmp_path / "one.txt", sensor_size=(34, 34), time_unit="s", convention="xytp") == EVENTS


def test_the_sensor_is_that_of_the_first_line(tmp_path: Path) -> None:
    assert read(stored(tmp_path, "240 180\n0 1 2 1\n")).sensor_size == (240, 180)
    assert read(stored(tmp_path, "# sensor_size=7x8\n0 1 2 1\n")).sensor_size == (7, 8)
    assert read(stored(tmp_path, "t,y@9,x@8,on\n0,1,2,1\n")) == Events([0], [2], [1], [1], (8, 9))
    assert info(stored(tmp_path, "0 1 2 1\n")).sensor_size is None
    with pytest.raises(EventFileError, match=r"unknown \(largest x, y: 1, 2\); give sensor_size"):
        read(stored(tmp_path, "0 1 2 1\n"))


def test_an_empty_recording_returns(tmp_path: Path) -> None:
    assert len(read(stored(tmp_path, ""), sensor_size=(2, 2))) == 0
    assert read(stored(tmp_path, TEXT[:39])) == EVENTS[:0]


@settings(deadline=None, max_examples=60)
@given(recordings(first_us=-(1 << 63), last_us=(1 << 63) - 1, side=65536), st.sampled_from(["us", "s"]))
def test_what_is_written_is_read(events: Events, unit: str) -> None:
    assert written_and_read(events, ".csv", time_unit=unit) == events
    assert written_and_read(events, ".txt", time_unit=unit) == events


DIGITS = st.from_regex(r"-?[0-9]{1,22}(\.[0-9]{0,12})?([eE][-+]?[0-9]{1,2})?", fullmatch=True)


@settings(deadline=None, max_examples=150)
@given(DIGITS, st.sampled_from(["us", "s"]))
@example("0.0000005", "s")
@example("0.0000015", "s")
@example("0.00000051", "s")
@example("0.00000050000000000000000000000000001", "s")
@example("-0.0000015", "s")
@example("9223372036854775807.49", "us")
@example("9223372036854775807.5", "us")
@example("9223372036854775808", "us")
@example("9223372036854775806.9", "us")
@example("-9223372036854775808", "us")
@example("92233720368547758079e-1", "us")
@example("00000000000000000000000000000000000001.5", "us")
def test_every_digit_counts_as_in_decimal_arithmetic(text: str, unit: str) -> None:
    with localcontext() as context:
        context.prec = 200
        exact = Decimal(text).scaleb(6 if unit == "s" else 0)
        rounded = int(exact.quantize(Decimal(1), ROUND_HALF_EVEN)) if abs(exact) < 1 << 64 else 1 << 64
    data = f"sensor_size=2x2,x,y,p,t,time_unit={unit}\n0,0,1,{text}\n".encode()
    events = after_damage(data, "one.csv")
    if -(1 << 63) < rounded < 1 << 63:
        assert events is not None and events.t.tolist() == [rounded]
    else:
        assert events is None or rounded == -(1 << 63)


def test_a_time_with_a_point_asks_for_its_unit(tmp_path: Path) -> None:
    path = stored(tmp_path, "34 34\n5 1 1 1\n7.5 1 1 0\n")
    with pytest.raises(
        EventFileError, match=r"at byte 14: its times have a point; say time_unit, us or s, got '7\.5 1 1 0'"
    ):
        read(path)
    assert read(path, time_unit="us").t.tolist() == [5, 8]
    assert read(path, time_unit="s").t.tolist() == [5_000_000, 7_500_000]


def test_the_argument_outweighs_the_files_unit(tmp_path: Path) -> None:
    assert read(stored(tmp_path, "t x y p time_unit=s\n1 0 0 0"), time_unit="us", sensor_size=(1, 1)).t.tolist() == [1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0 1 1 1\n1 2 3\n", "at byte 13: expected 4 values between commas or spaces, got ''"),
        ("0 1 1 1\n1 2 3 0 5\n", "at byte 16: expected 4 values between commas or spaces, got '5'"),
        ("0 1 1 1\n1,,3,0\n", "at byte 10: expected 4 values between commas or spaces, got ',3,0'"),
        ("0 1 1 1\n1-2 1 1 1\n", "at byte 8: expected a time of 64 bits, got '1-2 1 1 1'"),
        ("0 1 1 1\n9223372036854775808 1 1 1\n", "at byte 8: expected a time of 64 bits"),
        ("0 1 1 1\n1 -1 1 1\n", "at byte 10: expected x to be whole and from 0 to 65535, got '-1 1 1'"),
        ("0 1 1 1\n1 1 65536 1\n", "at byte 12: expected y to be whole and from 0 to 65535, got '65536 1'"),
        ("0 1 1 1\n1 1.5 1 1\n", "at byte 10: expected x to be whole"),
        ("0 1 1 1\n1 1 1 2\n", "at byte 14: expected a polarity of 0 or 1, -1 or 1, False or True, got '2'"),
        ("0 1 1 1\n1 1 1 yes\n", "at byte 14: expected a polarity"),
        ("0 1 1 0\n1 1 1 -1\n", "got 0 and -1 in one file"),
        ("0 1 1\n", "at byte 0: expected four values a line where none are named, got 3"),
        ("t,x,y,q\n0,1,1,1\n", "at byte 0: expected one of p, ps, .* among its columns, got 't, x, y, q'"),
        ("t,ts,x,y,p\n", "expected one of t, ts, time, "),
        ("t,x,y,p,time_unit=ms\n", "expected time_unit=us or s, got 'ms'"),
        ("t,x,y,p,sensor_size=0x3\n", r"expected sensor_size=\(width\)x\(height\), got '0x3'"),
        ("#" + "-" * 70_000, "expected an event within 65536 bytes, found none"),
    ],
)
def test_a_wrong_line_is_named_by_its_byte(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        read(stored(tmp_path, text), sensor_size=(65536, 65536))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"convention": "txy"}, "expected convention to order four columns"),
        ({"convention": "xytp"}, "expected convention for text without named columns, this has them"),
        ({"time_unit": "ms"}, "expected time_unit to be us, s, got 'ms'"),
    ],
)
def test_a_wrong_option_is_refused(tmp_path: Path, options: dict[str, str], sentence: str) -> None:
    with pytest.raises(EventFileError, match=sentence):
        read(stored(tmp_path, TEXT), **options)  # type: ignore[arg-type]


def test_a_tolerant_reader_keeps_what_precedes_a_wrong_line(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="at byte 51: expected a time .*; kept what precedes it"):
        assert read(stored(tmp_path, TEXT[:51] + b"?" + TEXT[52:]), tolerant=True) == EVENTS[:1]


def test_a_line_without_an_end_is_refused_and_its_middle_is_no_event(tmp_path: Path) -> None:
    head = "1 2 3 1\n" * 1000
    path = stored(tmp_path, head + "#" + "9 9 9 1 " * (1 << 18) + "\n1 2 3 1\n")
    sentence = f"at byte {len(head)}: expected lines of up to 65536 bytes, got more"
    with pytest.raises(EventFileError, match=sentence):
        read(path, sensor_size=(34, 34))
    with pytest.warns(UserWarning, match=sentence):
        assert len(read(path, sensor_size=(34, 34), tolerant=True)) == 1000


def test_an_event_outside_the_sensor_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match=r"at byte 51: expected events within 34x33, event 1 lies at \(0, 33\)"):
        read(stored(tmp_path, TEXT), sensor_size=(34, 33))


def test_lines_across_blocks_are_read(tmp_path: Path) -> None:
    t = np.arange(200_000) * 3
    events = Events(t, t % 128, t % 127, t % 2, (128, 128))
    for unit in ("us", "s"):
        write(tmp_path / "one.csv", events, time_unit=unit)
        assert (tmp_path / "one.csv").stat().st_size > 2 << 20
        assert read(tmp_path / "one.csv") == events
    assert read(tmp_path / "one.csv", None, 300_000, 300_004).t.tolist() == [300_000, 300_003]
    assert [len(part) for part in iterate(tmp_path / "one.csv", events=150_000)] == [150_000, 50_000]
    (tmp_path / "one.csv").write_bytes((tmp_path / "one.csv").read_bytes()[:-9] + b"x,1,1,1\n")
    with pytest.raises(EventFileError, match=r"expected (4 values|a time)"):
        read(tmp_path / "one.csv")


@pytest.mark.parametrize("between", [",", " "])
def test_a_thousand_mutations_are_survived(between: str) -> None:
    lines = [between.join((str(t * 37), str(t % 34), str(t % 33), str(t % 2))) for t in range(40)]
    text = between.join(("t", "x", "y", "p", "time_unit=us", "sensor_size=34x34"))
    assert survives("\n".join([text, *lines, ""]).encode(), "one.csv") > 300
    assert survives("\n".join([*lines, ""]).encode(), "one.csv", Reading(sensor_size=(34, 34))) > 300


def test_a_real_text_with_nine_digits_of_seconds_is_read() -> None:
    path = data_path("reader-fixtures/event-vision-library/event.txt")
    events = read(path, time_unit="s", sensor_size=(240, 180))
    assert [*events.t.tolist()[:4], len(events)] == [0, 780, 1706, 1724, 17]
    with pytest.raises(EventFileError, match="its times have a point; say time_unit"):
        read(path)


def test_a_real_clip_returns(tmp_path: Path) -> None:
    events = read(data_path("dvs128-gesture/1.bs3"))
    for name, unit in (("one.csv", "us"), ("one.txt", "s")):
        write(tmp_path / name, events, time_unit=unit)
        assert read(tmp_path / name) == events
