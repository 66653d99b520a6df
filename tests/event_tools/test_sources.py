"""What a command line names: files, folders, patterns and archives, in one order, under names that stay below."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from event_tools import EventFileError
from event_tools.formats.reader import Reading
from event_tools.sources import Item, events_of, expand, format_of, natural
from tests.event_tools.test_datasets import folder, recording, zipped

NAMES = ("b/2.bin", "b/10.bin", "a/1.bin", "loose.h5")


def names(*sources: object) -> list[str]:
    return [item.name for item in expand([str(source) for source in sources]).items]


def test_a_file_stands_for_itself_whether_it_is_there_or_not(tmp_path: Path) -> None:
    (tmp_path / "one[1].bin").write_bytes(b"")
    found = expand([str(tmp_path / "one[1].bin")])
    assert (found.items, found.many) == ((Item(tmp_path / "one[1].bin", "one[1].bin"),), False)
    assert names(tmp_path / "nothing.bin") == ["nothing.bin"]


def test_a_folder_gives_all_below_it_by_name_and_number(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", (*NAMES, ".hidden/1.bin", "a/.2.bin"))
    (source / "readme.txt").write_text("")
    (source / "notes.md").write_text("")
    found = expand([str(source)])
    assert [item.name for item in found.items] == ["a/1.bin", "b/2.bin", "b/10.bin", "loose.h5"]
    assert found.many and found.items[0].path == source / "a/1.bin"


def test_text_in_a_folder_counts_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("a/1.csv", "a/2.csv"))
    assert names(source) == ["a/1.csv", "a/2.csv"]
    folder(source, ("a/3.bin",))
    assert names(source) == ["a/3.bin"]
    assert names(source / "a" / "*") == ["1.csv", "2.csv", "3.bin"]


def test_a_folder_named_like_a_known_set_gives_its_sensor(tmp_path: Path) -> None:
    source = folder(tmp_path / "DVS128-Gesture", ("a/1.bin",))
    assert events_of(expand([str(source)]).items[0], Reading()).sensor_size == (128, 128)
    assert events_of(expand([str(source / "a/1.bin")]).items[0], Reading()).sensor_size == (34, 34)


def test_a_pattern_is_expanded_here_and_keeps_what_varies(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", NAMES)
    assert names(source / "*" / "*.bin") == ["a/1.bin", "b/2.bin", "b/10.bin"]
    assert names(source / "b" / "*") == ["2.bin", "10.bin"]
    assert names(source / "**" / "*.bin") == ["a/1.bin", "b/2.bin", "b/10.bin"]
    assert names(source / "[ab]") == ["a/1.bin", "b/2.bin", "b/10.bin"]
    assert expand([str(source / "loose.*")]).many
    with pytest.raises(EventFileError, match=r"nothing\*: expected a pattern that some file matches"):
        names(source / "nothing*")
    (source / "empty").mkdir()
    assert names(source / "[be]*") == ["b/2.bin", "b/10.bin"]
    with pytest.raises(EventFileError, match="it matches folders without any"):
        names(source / "e*")


def test_several_sources_go_under_their_own_names(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one", ("a/1.bin",)), folder(tmp_path / "two", ("a/1.bin",))
    archive = zipped(tmp_path / "three.zip", one)
    assert names(two, one, archive, one / "a" / "1.bin") == ["two/a/1.bin", "one/a/1.bin", "three/a/1.bin", "1.bin"]
    assert names(one / "a" / "1.bin", two / "a" / "1.bin") == ["1.bin", "1.bin"]  # only outputs have to differ


def test_an_archives_recordings_are_those_of_the_folder_in_it(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("b/2.bin", "b/10.bin", "a/1.aedat4"))
    items = expand([str(zipped(tmp_path / "set.zip", source))]).items
    assert [item.name for item in items] == names(source)
    assert [events_of(item, Reading()) for item in items] == [recording(2), recording(0), recording(1)]
    assert [format_of(item, Reading()) for item in items] == ["aedat4", "nmnist", "nmnist"]
    assert items[0].place == tmp_path / "set.zip/a/1.aedat4"
    assert format_of(items[0], Reading("hdf5")) == "hdf5"


@pytest.mark.parametrize("name", ["../../elsewhere/a/1.bin", "/elsewhere/a/1.bin"])
def test_an_archive_whose_names_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr(name, bytes(5))
    with pytest.raises(EventFileError, match=r"lead.? out of the |found none"):
        names(tmp_path / "set.zip")


def test_a_folder_without_recordings_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("")
    with pytest.raises(EventFileError, match=r"expected files in it \(.*\.aedat4.*\), found none"):
        names(tmp_path)


def test_names_sort_by_the_value_of_their_numbers_folder_by_folder() -> None:
    expected = ["2/1", "10/1", "10/2a", "10/10", "a/1", "a/01", "a/b", "a b"]
    assert sorted(reversed(expected), key=natural) == sorted(expected, key=natural)
    assert sorted(["x10", "x9", "x010", "x9/b", "x9 b"], key=natural) == ["x9", "x9/b", "x9 b", "x010", "x10"]
