"""Archives of recordings: .tar plain and packed beside .zip; links, devices, large and cut members, threads, copies."""

from __future__ import annotations

import copy
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest

from event_tools import EventFileError
from event_tools.datasets import open_recordings
from tests.event_tools.test_datasets import NAMES, folder, recording

PACKED = ["set.tar", "set.tar.gz", "set.tgz", "set.tar.bz2", "set.tar.xz"]
MODES = {"set.tar": "w:", "set.tar.gz": "w:gz", "set.tgz": "w:gz", "set.tar.bz2": "w:bz2", "set.tar.xz": "w:xz"}


def tarred(path: Path, source: Path) -> Path:
    with tarfile.open(path, MODES[path.name]) as archive:
        for file in sorted(source.rglob("*"), reverse=True):
            archive.add(file, file.relative_to(source).as_posix(), recursive=False)
    return path


@pytest.mark.parametrize("name", PACKED)
def test_a_tar_is_the_same_set_as_its_folder(tmp_path: Path, name: str) -> None:
    source = folder(tmp_path / "files")
    archive = tarred(tmp_path / name, source)
    for split in ("train", "test", None):
        one, two = open_recordings(source, split), open_recordings(archive, split)
        assert (one.names, one.classes, one.labels.tolist()) == (two.names, two.classes, two.labels.tolist())
        assert list(one) == list(two)
        assert list(one.raw_bytes()) == list(two.raw_bytes())


@pytest.mark.parametrize("name", ["set.tar", "set.tar.gz"])
def test_an_open_tar_can_be_copied_and_pickled(tmp_path: Path, name: str) -> None:
    recordings = open_recordings(tarred(tmp_path / name, folder(tmp_path / "files")), "train")
    assert recordings[0] == recording(0)
    assert copy.copy(recordings)[2] == pickle.loads(pickle.dumps(recordings))[2] == recording(2)


@pytest.mark.parametrize("name", ["set.tar", "set.tar.gz"])
def test_links_devices_and_hidden_members_are_left_out(tmp_path: Path, name: str) -> None:
    data = (folder(tmp_path / "files") / NAMES[0]).read_bytes()
    with tarfile.open(tmp_path / name, MODES[name]) as archive:
        for member, kind in (
            ("0/good.bin", tarfile.REGTYPE),
            ("0/soft.bin", tarfile.SYMTYPE),
            ("0/hard.bin", tarfile.LNKTYPE),
            ("0/pipe.bin", tarfile.FIFOTYPE),
            ("0/device.bin", tarfile.CHRTYPE),
            ("0/.hidden.bin", tarfile.REGTYPE),
        ):
            entry = tarfile.TarInfo(member)
            entry.type, entry.linkname = kind, str(tmp_path / "files" / NAMES[0])
            entry.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(entry, io.BytesIO(data))
    recordings = open_recordings(tmp_path / name)
    assert recordings.names == ("0/good.bin",)
    assert recordings[0] == recording(0)


def test_a_member_that_declares_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_tools.archives.MAX_FILE", 100)
    source = folder(tmp_path / "files")
    recordings = open_recordings(tarred(tmp_path / "set.tar", source), "test")
    with pytest.raises(EventFileError, match="it declares 120 bytes, more than 100 are refused"):
        recordings[0]
    with pytest.raises(EventFileError, match=r"\.bin: it declares 1.. bytes, more than 100 are refused"):
        open_recordings(tarred(tmp_path / "set.tar.gz", source))


def test_a_packed_tar_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_tools.archives.MAX_UNPACKED", 300)
    with pytest.raises(EventFileError, match="it unpacks to more than 300 bytes, which is refused"):
        open_recordings(tarred(tmp_path / "set.tar.gz", folder(tmp_path / "files")))


@pytest.mark.parametrize("name", PACKED)
def test_a_cut_or_altered_tar_is_refused_or_a_part_of_it(tmp_path: Path, name: str) -> None:
    data = tarred(tmp_path / name, folder(tmp_path / "files")).read_bytes()
    for changed in (data[:10], data[: len(data) // 2], b"", bytes(1024), data[:30] + b"\xff" * 40 + data[70:]):
        (tmp_path / name).write_bytes(changed)
        try:
            for events in open_recordings(tmp_path / name):
                assert events in [recording(i) for i in range(len(NAMES))]
        except EventFileError as error:
            assert "\n" not in str(error)


def test_members_with_paths_that_lead_out_are_left_out(tmp_path: Path) -> None:
    data = (folder(tmp_path / "files") / NAMES[0]).read_bytes()
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("../../0/1.bin", data)
    with tarfile.open(tmp_path / "set.tar", "w:") as archive:
        entry = tarfile.TarInfo("../../0/1.bin")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    for name in ("set.zip", "set.tar"):
        with pytest.raises(EventFileError, match=r"expected recordings as <label>/<file> .*, found none"):
            open_recordings(tmp_path / name)
