"""Reading and writing by name and content: format, sensor's size, time window, order, and what is said of a file."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import event_tools
from event_tools import EventFileError, Events, info, iterate, read, write
from event_tools.finding import opened
from event_tools.formats.blocks import read_at
from tests.data import data_path

EVENTS = Events([5, 7, 7, 90], [1, 33, 0, 7], [2, 0, 33, 7], [1, 0, 1, 0], (34, 34))
WIDE = Events([5, 7], [1, 100], [2, 0], [1, 0], (128, 128))


@pytest.fixture(params=[".bin", ".aedat4", ".h5"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A file of EVENTS in each format that can be written."""
    path: Path = tmp_path / f"one{request.param}"
    write(path, EVENTS)
    return path


def disordered(path: Path) -> Path:
    """Three events at 9, 4 and 4 us, the equal ones at x = 2 and then 1."""
    path.write_bytes(bytes.fromhex("03 00 80 00 09  02 00 80 00 04  01 00 00 00 04"))
    return path


def test_the_format_is_found_by_content_before_the_suffix(tmp_path: Path) -> None:
    for format in ("aedat4", "hdf5"):
        for name in ("wrong.bin", "none", "upper.AEDAT4"):
            write(tmp_path / name, EVENTS, format=format)
            assert read(tmp_path / name) == EVENTS
            assert info(tmp_path / name).format == format


def test_a_suffix_in_capitals_is_known(tmp_path: Path) -> None:
    write(tmp_path / "ONE.BIN", EVENTS)
    assert read(tmp_path / "ONE.BIN") == EVENTS


def test_an_unknown_suffix_asks_for_the_format(tmp_path: Path) -> None:
    (tmp_path / "one.xyz").write_bytes(bytes(10))
    with pytest.raises(EventFileError, match=r"known suffix or header; say format, one of nmnist, .*aedat4, hdf5"):
        read(tmp_path / "one.xyz")
    assert len(read(tmp_path / "one.xyz", format="nmnist")) == 2


def test_an_unknown_format_is_refused_by_name(tmp_path: Path, path: Path) -> None:
    with pytest.raises(EventFileError, match=r"format to be nmnist, .*aedat4, hdf5.*, got 'evt9'"):
        read(path, format="evt9")
    with pytest.raises(EventFileError, match=r"that can be written \(nmnist, .*aedat4, hdf5.*\), got 'mat'"):
        write(tmp_path / "new", EVENTS, format="mat")
    with pytest.raises(EventFileError, match=r"that can be written \(nmnist, .*aedat4, hdf5.*\), got '\.xyz'"):
        write(tmp_path / "new.xyz", EVENTS)


@pytest.mark.parametrize("suffix", [".aedat", ".aedat4", ".h5", ".hdf5"])
def test_an_empty_file_of_a_format_with_a_header_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"one{suffix}").touch()
    with pytest.raises(EventFileError, match=r"at byte 0: expected a header of .*, the file is empty"):
        read(tmp_path / f"one{suffix}")
    with pytest.raises(EventFileError, match="expected a"):
        read(tmp_path / f"one{suffix}", format={".aedat": "aedat2", ".aedat4": "aedat4"}.get(suffix, "hdf5"))


def test_an_empty_file_without_a_header_is_a_recording_without_events(tmp_path: Path) -> None:
    (tmp_path / "one.bin").touch()
    assert read(tmp_path / "one.bin") == Events.empty((34, 34))


def test_a_header_of_another_format_is_refused_with_what_came(tmp_path: Path) -> None:
    (tmp_path / "one.aedat").write_bytes(b"#!AER-DAT5.0\r\n")
    with pytest.raises(EventFileError, match=r"expected a header of aedat2.*, it begins with"):
        read(tmp_path / "one.aedat")


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match="expected a recording, found no such file"):
        read(tmp_path / "absent.bin")
    with pytest.raises(EventFileError, match="expected a regular file, got a folder"):
        read(tmp_path)
    with pytest.raises(EventFileError, match="expected a regular file"):
        read("/dev/zero", format="nmnist")
    with pytest.raises(EventFileError, match="it cannot be read, file name too long"):
        read(tmp_path / ("n" * 300))


def test_the_argument_wins_over_the_size_in_the_file(tmp_path: Path) -> None:
    for name in ("one.aedat4", "one.h5"):
        write(tmp_path / name, EVENTS)
        assert read(tmp_path / name).sensor_size == (34, 34)
        assert read(tmp_path / name, sensor_size=(50, 40)).sensor_size == (50, 40)


def test_the_size_in_the_file_wins_over_the_largest_event(tmp_path: Path) -> None:
    few = Events([5], [1], [2], [1], (640, 480))
    for name in ("one.aedat4", "one.h5"):
        write(tmp_path / name, few)
        assert read(tmp_path / name).sensor_size == (640, 480)


def test_a_silent_file_has_the_formats_size_where_all_events_fit(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", Events([5], [1], [2], [1], (240, 180)))
    assert read(tmp_path / "one.bin").sensor_size == (34, 34)
    assert info(tmp_path / "one.bin").sensor_size == (34, 34)


def test_a_silent_file_whose_events_do_not_fit_asks_and_never_guesses(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", WIDE)
    with pytest.raises(EventFileError, match=r"largest x, y: 100, 2\); give sensor_size=\(width, height\)"):
        read(tmp_path / "one.bin")
    assert info(tmp_path / "one.bin").sensor_size is None
    assert read(tmp_path / "one.bin", sensor_size=(128, 128)) == WIDE


def test_an_argument_that_the_events_do_not_fit_is_refused_by_event_and_byte(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", WIDE)
    with pytest.raises(EventFileError, match=r"at byte 5: expected events within 100x100, event 1 lies at \(100, 0\)"):
        read(tmp_path / "one.bin", sensor_size=(100, 100))


def test_a_time_window_is_half_open(path: Path) -> None:
    assert read(path, start_us=7).t.tolist() == [7, 7, 90]
    assert read(path, stop_us=90) == EVENTS[:3]
    assert read(path, start_us=6, stop_us=8) == EVENTS[1:3]
    assert read(path, start_us=8, stop_us=90) == EVENTS[:0]
    assert read(path, start_us=91) == EVENTS[:0]


def test_a_window_may_lie_beyond_64_bits(tmp_path: Path) -> None:
    last = (1 << 63) - 1
    write(tmp_path / "one.npz", Events([-1 << 63, last - 1, last], [0, 1, 2], [0, 0, 0], [1, 1, 1], (3, 1)))
    assert read(tmp_path / "one.npz", stop_us=1 << 63).t.tolist() == [-1 << 63, last - 1, last]
    assert read(tmp_path / "one.npz", start_us=1 << 63).t.tolist() == []
    assert read(tmp_path / "one.npz", start_us=last, stop_us=1 << 70).t.tolist() == [last]
    assert read(tmp_path / "one.npz", stop_us=-(1 << 63) - 1).t.tolist() == []
    parts = list(iterate(tmp_path / "one.npz", microseconds=1 << 62))
    assert [part.t.tolist() for part in parts] == [[-1 << 63], [], [], [last - 1, last]]
    assert info(tmp_path / "one.npz").duration_us == read(tmp_path / "one.npz").duration_us == (1 << 64) - 1


def test_threads_may_read_one_open_file(tmp_path: Path) -> None:
    write(
        tmp_path / "one.dat",
        Events(np.arange(1 << 19), np.arange(1 << 19) % 300, [7] * (1 << 19), [1] * (1 << 19), (304, 240)),
    )
    with opened(tmp_path / "one.dat") as file, ThreadPoolExecutor(4) as pool:
        at = range(100, 1 << 22, 12_345)
        parts = list(pool.map(lambda start: read_at(file, start, 9_999).tobytes(), at))
    whole = (tmp_path / "one.dat").read_bytes()
    assert parts == [whole[start : start + 9_999] for start in at]


def test_times_that_decrease_are_refused_and_sorted_on_request_keeping_ties_in_order(tmp_path: Path) -> None:
    path = disordered(tmp_path / "one.bin")
    with pytest.raises(EventFileError, match=r"decrease at event 1 \(9 to 4 us\); read it with order='sort'"):
        read(path)
    events = read(path, order="sort")
    assert (events.t.tolist(), events.x.tolist()) == ([4, 4, 9], [2, 1, 3])
    assert read(path, order="sort", start_us=5).t.tolist() == [9]
    with pytest.raises(ValueError, match="order to be refuse or sort, got 'keep'"):
        read(path, order="keep")  # type: ignore[arg-type]


def test_sorting_keeps_the_file_order_of_many_equal_times(tmp_path: Path) -> None:
    x = np.arange(200, dtype=np.uint8)
    records = np.zeros((200, 5), np.uint8)
    records[:, 0], records[:, 4] = x, x % 2 == 0  # times 1, 0, 1, 0, ...
    (tmp_path / "one.bin").write_bytes(records.tobytes())
    events = read(tmp_path / "one.bin", order="sort", sensor_size=(200, 1))
    assert events.x.tolist() == [*range(1, 200, 2), *range(0, 200, 2)]


def test_info_says_what_a_file_holds(path: Path) -> None:
    answer = info(path)
    assert answer.path == str(path)
    assert answer.format == {".bin": "nmnist", ".aedat4": "aedat4", ".h5": "hdf5"}[path.suffix]
    assert (answer.events, answer.first_us, answer.last_us, answer.on_share) == (4, 5, 90, 0.5)
    assert answer.sensor_size == (34, 34)


def test_info_describes_a_recording_without_events_and_one_out_of_order(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", Events.empty((5, 6)))
    answer = info(tmp_path / "one.h5")
    assert (answer.events, answer.first_us, answer.last_us, answer.on_share) == (0, None, None, None)
    assert (answer.sensor_size, read(tmp_path / "one.h5")) == ((5, 6), Events.empty((5, 6)))
    answer = info(disordered(tmp_path / "two.bin"))
    assert (answer.first_us, answer.last_us) == (4, 9)


def test_beyond_31_and_32_bits_of_microseconds_nothing_wraps(tmp_path: Path) -> None:
    late = Events([(1 << 31) - 1, 1 << 31, (1 << 32) + 1], [1, 2, 3], [1, 2, 3], [0, 1, 0], (34, 34))
    for name in ("one.aedat4", "one.h5"):
        write(tmp_path / name, late)
        assert read(tmp_path / name) == late
        assert info(tmp_path / name).last_us == (1 << 32) + 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sensor_size": (34,)}, r"sensor_size as \(width, height\), whole pixels, got \(34,\)"),
        ({"sensor_size": "34x34"}, "whole pixels, got '34x34'"),
        ({"sensor_size": (0, 34)}, "a sensor of 1 to 65536 pixels a side, got 0x34"),
        ({"start_us": 1.5}, "start_us as whole microseconds, got 1.5"),
        ({"stop_us": float("inf")}, "stop_us as whole microseconds, got inf"),
    ],
)
def test_sizes_and_windows_that_are_none_are_refused(path: Path, options: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(path, **options)
    with pytest.raises(ValueError, match=sentence):
        list(iterate(path, events=1, **options))
    with pytest.raises(ValueError, match=sentence):
        info(path, **options)


def test_info_has_no_window(path: Path) -> None:
    with pytest.raises(ValueError, match="expected no start_us and stop_us, a whole recording is described"):
        info(path, start_us=0)


@pytest.mark.parametrize("other", [None, [3], np.zeros(2)])
def test_what_is_no_recording_is_not_written(tmp_path: Path, other: object) -> None:
    with pytest.raises(
        TypeError, match=r"expected Events, or an iterable of Events, to write, got (NoneType|int|float64)"
    ):
        write(tmp_path / "one.bin", other)
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_a_zero_byte_is_no_file() -> None:
    with pytest.raises(EventFileError, match="found no such file"):
        read("one\0.bin")


def test_options_of_another_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match="expected compression with aedat4 only, this is hdf5"):
        write(tmp_path / "one.h5", EVENTS, compression="lz4")
    with pytest.raises(EventFileError, match="nmnist files hold no provenance; leave it out or write one of aedat4"):
        write(tmp_path / "one.bin", EVENTS, provenance={"seed": 1})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("provenance", "sentence"),
    [
        ({"a key": 1}, "keys of letters, digits"),
        ({"seed": [1]}, "as text, a number or a truth value, got list"),
        ({"seed": 1 << 63}, "to fit 64 bits"),
        ({"rate": float("nan")}, "to be finite, got nan"),
        ({"note": "a\x00b"}, "without control characters"),
        ({"note": "x" * 60_001}, "at most 60000 bytes, got 60001; shorten it"),
    ],
)
@pytest.mark.parametrize("suffix", [".aedat4", ".h5"])
def test_provenance_that_a_format_cannot_hold_is_refused(
    tmp_path: Path, suffix: str, provenance: dict[str, object], sentence: str
) -> None:
    with pytest.raises(EventFileError, match=sentence):
        write(tmp_path / f"one{suffix}", EVENTS, provenance=provenance)


def test_numbers_of_numpy_are_provenance_too(tmp_path: Path) -> None:
    write(tmp_path / "one.h5", EVENTS, provenance={"seed": np.int64(3), "rate": np.float32(0.5)})
    assert info(tmp_path / "one.h5").provenance == {"seed": 3, "rate": 0.5}


def test_errors_cross_processes_whole() -> None:
    error = copy.copy(EventFileError("one.bin", "it is cut", 7))  # by the same protocol
    assert (str(error), error.path, error.offset) == ("one.bin at byte 7: it is cut", Path("one.bin"), 7)


def test_the_package_names_what_it_offers() -> None:
    assert all(getattr(event_tools, name) is not None for name in event_tools.__all__)
    assert event_tools.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="no attribute 'raed'"):
        _ = event_tools.raed


def test_parts_of_a_real_recording_make_the_whole() -> None:
    path = data_path("reader-fixtures/tonic/sample_nmnist.bin")
    whole = read(path)
    parts = [read(path, start_us=start, stop_us=start + 100_000) for start in range(0, 400_000, 100_000)]
    assert np.array_equal(np.concatenate([part.t for part in parts]), whole.t)
