"""One format into another: events, order, cuts and provenance go along; a set appears whole or not at all."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from event_tools import EventFileError, Events, info, read, write
from event_tools.convert import Reading, convert_all, convert_file
from event_tools.datasets import open_recordings
from tests.event_tools.test_datasets import folder, recording, zipped

AS_IT_IS = Reading()


@pytest.mark.parametrize("suffix", [".bin", ".aedat4", ".h5"])
def test_a_file_becomes_each_format(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "one.bin", recording(3))
    out = tmp_path / f"two{suffix}"
    convert_file(tmp_path / "one.bin", out, None, AS_IT_IS)
    assert read(out) == recording(3)


def test_provenance_goes_along_where_the_format_holds_it(tmp_path: Path) -> None:
    write(tmp_path / "one.aedat4", recording(3), provenance={"seed": 5, "placement": "uniform"})
    for name in ("two.h5", "two.bin"):
        convert_file(tmp_path / "one.aedat4", tmp_path / name, None, AS_IT_IS)
    assert info(tmp_path / "two.h5").provenance == {"seed": 5, "placement": "uniform"}
    assert read(tmp_path / "two.bin") == recording(3)


def test_the_options_of_reading_hold(tmp_path: Path) -> None:
    source = tmp_path / "one.bin"
    source.write_bytes(bytes.fromhex("03 00 80 00 09  02 00 80 00 04  01 00 00 00 06  01 00"))
    with pytest.warns(UserWarning, match="kept what precedes it"):
        reading = Reading(sensor_size=(40, 50), start_us=5, order="sort", tolerant=True)
        convert_file(source, tmp_path / "two.h5", None, reading)
    assert read(tmp_path / "two.h5") == Events([6, 9], [1, 3], [0, 0], [0, 1], (40, 50))


def test_a_real_convention_is_written_down(tmp_path: Path) -> None:
    (tmp_path / "one.aedat").write_bytes(b"#!AER-DAT2.0\r\n" + bytes.fromhex("00006bea 00000007"))
    convert_file(tmp_path / "one.aedat", tmp_path / "two.aedat4", None, Reading(convention="spikingjelly"))
    assert read(tmp_path / "two.aedat4") == Events([7], [20], [10], [1], (128, 128))
    assert info(tmp_path / "two.aedat4").provenance == {"convention": "spikingjelly"}


def test_a_file_is_not_written_over_itself(tmp_path: Path) -> None:
    write(tmp_path / "one.bin", recording(3))
    (tmp_path / "link.bin").symlink_to("one.bin")
    with pytest.raises(EventFileError, match="another file to write than the one that is read"):
        convert_file(tmp_path / "one.bin", tmp_path / "link.bin", None, AS_IT_IS)
    assert read(tmp_path / "one.bin") == recording(3)


@pytest.mark.parametrize("name", ["two.mat", "two", "two.avi"])
def test_a_format_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / "one.bin", recording(3))
    with pytest.raises(EventFileError, match=r"a suffix that can be written \(\.aedat.*, \.bin, .*\.h5, .*\)"):
        convert_file(tmp_path / "one.bin", tmp_path / name, None, AS_IT_IS)


def test_a_set_keeps_its_shape(tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    for path in (source, zipped(tmp_path / "set.zip", source)):
        out = tmp_path / f"out of {path.name}"
        convert_all(path, out, "aedat4", AS_IT_IS)
        one, two = open_recordings(source), open_recordings(out)
        assert [name.removesuffix(".bin") for name in one.names] == [name.removesuffix(".aedat4") for name in two.names]
        assert list(one) == list(two)


def test_the_progress_of_a_set_counts_its_recordings(tmp_path: Path) -> None:
    seen: list[object] = []

    def progress(items: range, title: str) -> range:
        seen.extend((len(items), title))
        return items

    convert_all(folder(tmp_path / "set"), tmp_path / "out", "h5", AS_IT_IS, progress=progress)  # type: ignore[arg-type]
    assert seen == [5, "converting set"]


def test_a_damaged_recording_leaves_nothing_of_the_new_set(tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    last = source / "Train/7/1.bin"
    last.write_bytes(last.read_bytes()[:-1])
    with pytest.raises(EventFileError, match=r"Train/7/1\.bin at byte 105"):
        convert_all(source, tmp_path / "out", "h5", AS_IT_IS)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_set_goes_into_a_new_folder_of_one_that_is_there(tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    with pytest.raises(EventFileError, match="expected a new folder, it is there already"):
        convert_all(source, source, "h5", AS_IT_IS)
    with pytest.raises(EventFileError, match="to exist; make it first"):
        convert_all(source, tmp_path / "absent" / "out", "h5", AS_IT_IS)
    with pytest.raises(ValueError, match="--to bin, aedat4 or h5 for a whole set, got none"):
        convert_all(source, tmp_path / "out", None, AS_IT_IS)


def test_two_recordings_that_would_have_one_name_are_refused(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("a/1.bin", "a/1.h5"))
    with pytest.raises(EventFileError, match="names that differ without their suffix"):
        convert_all(source, tmp_path / "out", "aedat4", AS_IT_IS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../../elsewhere/a/1.bin", "/elsewhere/a/1.bin"])
def test_a_zip_whose_names_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr(name, bytes(5))
    with pytest.raises(EventFileError, match=r"lead out of the folder, which is refused|found none"):
        convert_all(tmp_path / "set.zip", tmp_path / "out", "aedat4", AS_IT_IS)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]
