"""Pixels from pictures: cached or decoded for each batch, by one builder or two."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from neurogen.data import DataError, decoding, open_data
from neurogen.data.decoding import DecodedWhenAsked
from neurogen.data.picture_files import ZipFiles
from tests.neurogen.data.image_sets import packed, rooms, set_config


def test_pictures_beyond_the_largest_cache_are_decoded_for_each_batch(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = set_config("lsun_bedroom", rooms(tmp_path, 30), flip=True)
    cached = open_data(config, 2, "train")
    size = 30 * 3 * 32 * 32
    monkeypatch.setattr(decoding, "LARGEST_CACHE", size)
    assert isinstance(open_data(config, 2, "train").source, np.ndarray)
    monkeypatch.setattr(decoding, "LARGEST_CACHE", size - 1)
    for file in cache.rglob("*.npy"):
        file.unlink()
    asked = open_data(config, 2, "train")
    assert isinstance(asked.source, DecodedWhenAsked) and not list(cache.rglob("*.npy"))
    index = torch.tensor([3, 0, 26, 3])
    draws = [torch.Generator().manual_seed(5) for _ in range(2)]
    assert torch.equal(asked.batch(index, draws[0]), cached.batch(index, draws[1]))
    assert asked.batch(np.arange(0)).shape == (0, 3, 32, 32)


def test_a_picture_that_breaks_later_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LARGEST_CACHE", 0)
    data = open_data(set_config("lsun_bedroom", rooms(tmp_path, 30)), 2, "train")
    assert isinstance(data.source, DecodedWhenAsked)
    Path(data.source.files.place(int(data.index[4]))).write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"\.png: expected a picture, its content is none that can be read; remove it"):
        data.batch(np.arange(len(data)))


def test_a_picture_too_small_for_the_crop_is_refused_by_name(tmp_path: Path) -> None:
    config = set_config("lsun_bedroom", rooms(tmp_path, 30), fit="fsvae148")
    with pytest.raises(DataError, match=r"\.png: expected 148x148 pixels or more for data.fit=fsvae148, got 48x40"):
        open_data(config, 2, "train")


def test_pictures_decode_into_as_many_parts_as_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = set_config("lsun_bedroom", rooms(tmp_path, 21))
    monkeypatch.setattr(decoding, "BULK", 2)
    one = open_data(config, 2, "train").pixels
    monkeypatch.setattr(decoding, "LARGEST_CACHE", 0)
    assert np.array_equal(one, open_data(config, 2, "train").pixels)


def test_a_damaged_entry_of_an_archive_is_refused_by_name(tmp_path: Path) -> None:
    archive = packed(rooms(tmp_path / "bedroom", 1), tmp_path / "b.zip")
    data = bytearray(archive.read_bytes())
    data[200] ^= 255
    archive.write_bytes(bytes(data))
    files = ZipFiles(archive, (f"bedroom/data0/0/{0:040x}.png",))
    with pytest.raises(DataError, match=r"b.zip/bedroom/data0/0/0+.png: expected a picture, Bad CRC-32"):
        files.read(0)


BUILDER = """
import sys, time, types
from pathlib import Path
room = sys.modules["neurogen.data"] = types.ModuleType("neurogen.data")  # spares the import of torch
room.__path__ = [sys.argv[4]]
from neurogen.config import DataConfig
from neurogen.data import decoding
from neurogen.data.picture_files import picture_files
mark, wait = Path(sys.argv[2]), sys.argv[3]
decode = decoding._decode
def slowly(files, i, mode):
    if i == 8:
        mark.touch()
        while wait == "forever" or not Path(wait).exists():
            time.sleep(0.01)
    return decode(files, i, mode)
decoding._decode = slowly
config = DataConfig(name="lsun_bedroom", path=sys.argv[1], resolution=32, channels=3)
print(int(decoding.decoded_pixels(picture_files(Path(sys.argv[1])), config).sum(dtype="int64")))
"""


def builder(folder: Path, mark: Path, wait: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILDER, str(folder), str(mark), wait, str(Path(decoding.__file__).parent)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def reached(*marks: Path) -> None:
    import time

    until = time.monotonic() + 60
    while not all(mark.exists() for mark in marks):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_killed_decoder_leaves_nothing_that_counts_and_two_at_once_agree(tmp_path: Path, cache: Path) -> None:
    folder = rooms(tmp_path / "rooms", 12)
    marks = [tmp_path / name for name in ("killed", "one", "other")]
    go = tmp_path / "go"
    running = [builder(folder, marks[0], "forever"), *(builder(folder, mark, str(go)) for mark in marks[1:])]
    try:
        reached(*marks)
        running[0].kill()
        assert running[0].wait(30) == -9
        assert [place for place in (cache / "images").iterdir() if not place.name.startswith(".")] == []
        go.touch()  # both others are in the middle of decoding
        said = [int(one.communicate(timeout=60)[0]) for one in running[1:]]
    finally:
        for one in running:
            one.kill()
            one.communicate()
    whole = open_data(set_config("lsun_bedroom", folder), 2, "train").source
    assert isinstance(whole, np.ndarray) and said == [int(whole.sum(dtype=np.int64))] * 2
    assert len([place for place in (cache / "images").iterdir() if not place.name.startswith(".")]) == 1
