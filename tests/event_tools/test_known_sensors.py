"""Sensors of well-known sets by the names of folders and archives."""

from __future__ import annotations

from pathlib import Path

import pytest

from event_tools import write
from event_tools.datasets import open_recordings
from event_tools.known_sensors import known_sensor
from tests.event_tools.test_datasets import recording


@pytest.mark.parametrize(
    ("path", "below", "size"),
    [
        ("/data/N-MNIST", "", (34, 34)),
        ("/data/n-mnist/n-mnist-1100.zip", "", (34, 34)),
        ("/data/N-MNIST/Train.zip", "", (34, 34)),
        ("/data/CIFAR10-DVS.tar.gz", "", (128, 128)),
        ("/data/cifar10_dvs", "", (128, 128)),
        ("/data/DVS Gesture dataset", "", (128, 128)),
        ("/data/N-Caltech101-archive.zip", "", None),
        ("/data/x.zip", "N-Caltech101/airplanes/1.bin", (240, 180)),
        ("/data/shd_train.h5", "", None),
        ("/data/mine", "", None),
        ("/data/not-nmnist-like", "", None),
    ],
)
def test_a_set_is_known_by_its_name(path: str, below: str, size: tuple[int, int] | None) -> None:
    assert known_sensor(Path(path), below) == size


def test_files_of_a_known_set_need_no_hint_and_an_argument_wins(tmp_path: Path) -> None:
    (tmp_path / "N-Caltech101" / "a").mkdir(parents=True)
    write(tmp_path / "N-Caltech101" / "a" / "1.bin", recording(1))
    assert open_recordings(tmp_path / "N-Caltech101")[0].sensor_size == (240, 180)
    assert open_recordings(tmp_path / "N-Caltech101", sensor_size=(50, 50))[0].sensor_size == (50, 50)
