"""One format into another: events, order, cuts and provenance go along; options find the side that knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_tools import EventFileError, Events, __version__, info, read, write
from event_tools.convert import Conversion, target_of
from event_tools.finding import FORMATS
from event_tools.formats.reader import Reading
from event_tools.formats.writer import Writing
from event_tools.history import with_step
from event_tools.jobs import Task
from event_tools.sources import Item
from tests.event_tools.test_datasets import recording


def convert(source: Path, out: Path, **options: Any) -> dict[str, int]:
    return Conversion(target_of(None, out)[0], **options)(Task(0, Item(source, source.name), out))


@pytest.mark.parametrize("suffix", [".bin", ".aedat4", ".h5"])
def test_a_file_becomes_each_format_and_its_events_are_counted(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "one.bin", recording(3))
    out = tmp_path / f"two{suffix}"
    assert convert(tmp_path / "one.bin", out) == {"events": 23}
    assert read(out) == recording(3)


def test_provenance_goes_along_and_says_what_was_done(tmp_path: Path) -> None:
    write(tmp_path / "one.aedat4", recording(3), provenance={"seed": 5, "placement": "uniform"})
    convert(tmp_path / "one.aedat4", tmp_path / "two.h5", options={"sensor": "34x34", "from": "aedat4"})
    first = f"convert one.aedat4 from=aedat4 sensor=34x34 (event_tools {__version__})"
    assert info(tmp_path / "two.h5").provenance == {"seed": 5, "placement": "uniform", "history.1": first}
    convert(tmp_path / "two.h5", tmp_path / "three.aedat4", command="cut")
    kept = info(tmp_path / "three.aedat4").provenance
    assert kept["history.1"] == first and kept["history.2"] == f"cut two.h5 (event_tools {__version__})"
    convert(tmp_path / "three.aedat4", tmp_path / "four.bin")
    assert read(tmp_path / "four.bin") == recording(3)


def test_a_name_that_cannot_stand_in_a_file_is_told_without_its_strange_letters(tmp_path: Path) -> None:
    step = with_step({"history.4": "x", "history.x": 1}, "convert", "a\nb\udcff.bin", {}, tmp_path / "out.h5")
    assert step["history.5"] == f"convert a?b?.bin (event_tools {__version__})"
    assert step["history.x"] == 1


def test_the_options_of_reading_hold(tmp_path: Path) -> None:
    source = tmp_path / "one.bin"
    source.write_bytes(bytes.fromhex("03 00 80 00 09  02 00 80 00 04  01 00 00 00 06  01 00"))
    with pytest.warns(UserWarning, match="kept what precedes it"):
        reading = Reading(sensor_size=(40, 50), start_us=5, order="sort", tolerant=True)
        convert(source, tmp_path / "two.h5", reading=reading)
    assert read(tmp_path / "two.h5") == Events([6, 9], [1, 3], [0, 0], [0, 1], (40, 50))


def test_a_streamed_and_a_sorted_conversion_give_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 300_000
    t = np.sort(rng.integers(0, 1 << 22, n))
    write(tmp_path / "one.bin", Events(t, rng.integers(0, 34, n), rng.integers(0, 34, n), t % 2, (34, 34)))
    for suffix in (".aedat4", ".h5"):
        convert(tmp_path / "one.bin", tmp_path / f"streamed{suffix}")
        convert(tmp_path / "one.bin", tmp_path / f"sorted{suffix}", reading=Reading(order="sort"))
        same = (tmp_path / f"streamed{suffix}").read_bytes() == (tmp_path / f"sorted{suffix}").read_bytes()
        assert same, suffix


def test_a_silent_file_of_a_larger_sensor_asks_for_its_size(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", Events([0, 1], [1, 40], [0, 50], [0, 1], (64, 64)))
    with pytest.raises(EventFileError, match=r"size is unknown \(largest x, y: 40, 50\); give sensor_size"):
        convert(tmp_path / "one.bin", tmp_path / "two.h5")
    assert not (tmp_path / "two.h5").exists()


def test_an_option_of_both_sides_goes_to_the_side_that_has_it(tmp_path: Path) -> None:
    aedat = tmp_path / "one.aedat"
    aedat.write_bytes(b"#!AER-DAT2.0\r\n" + bytes.fromhex("00006bea 00000007"))
    convert(aedat, tmp_path / "two.h5", both={"convention": "spikingjelly"})
    assert read(tmp_path / "two.h5") == Events([7], [20], [10], [1], (128, 128))
    with pytest.raises(EventFileError, match=r"expected convention with aedat2, .*only, this is hdf5"):
        convert(tmp_path / "two.h5", tmp_path / "three.bin", both={"convention": "spikingjelly"})


def test_an_option_of_writing_alone_is_refused_by_a_format_without_it(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", recording(3))
    with pytest.raises(EventFileError, match=r"expected compression with .* only, this is nmnist"):
        convert(tmp_path / "one.bin", tmp_path / "two.bin", writing=Writing(compression="lz4"))


def test_an_error_of_a_change_names_the_recording(tmp_path: Path) -> None:
    def refuse(parts: Any, name: str) -> Any:
        raise ValueError(f"no {name}")
        yield from parts

    write(tmp_path / "one.bin", recording(3))
    with pytest.raises(EventFileError, match=r"one\.bin: no one\.bin"):
        convert(tmp_path / "one.bin", tmp_path / "two.bin", change=refuse)


def test_a_file_is_not_written_over_itself(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", recording(3))
    (tmp_path / "link.bin").symlink_to("one.bin")
    with pytest.raises(EventFileError, match="another file to write than the one that is read"):
        convert(tmp_path / "one.bin", tmp_path / "link.bin")
    assert read(tmp_path / "one.bin") == recording(3)


def test_a_target_is_a_formats_name_a_suffix_or_that_of_the_file() -> None:
    out = Path("folder/one.h5")
    assert target_of(None, out) == ("hdf5", ".h5")
    assert target_of("aedat4", out) == ("aedat4", ".aedat4")
    assert target_of(".HDF5", out) == ("hdf5", ".hdf5")
    assert target_of("bin", out) == ("nmnist", ".bin")
    for name, module in FORMATS.items():
        if hasattr(module, "open_writer"):
            assert target_of(name, out) == (name, module.SUFFIXES[0])


def test_a_format_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(EventFileError, match=r"suffix that can be written \(\.aedat, .*\) or --to FORMAT, got \.md"):
        target_of(None, Path("two.md"))
    with pytest.raises(EventFileError, match=r"format \(nmnist, .*, csv\) or a suffix \(\.aedat, .*\), got 'mat'"):
        target_of("mat", Path("two.md"))
