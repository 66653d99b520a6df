"""What is evaluated, recognised by what it holds; what is none of it, refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurogen.data import DataError
from neurogen.metrics.errors import MetricError
from neurogen.metrics.sources import Generated, open_source
from neurogen.model import load
from neurogen.model_folder import ModelFolderError
from neurogen.sampling import write_samples
from tests.neurogen.data.sets import picture, recordings
from tests.neurogen.metrics.small_data import mnist_like, picture_folder, squares
from tests.neurogen.tiny import event_model, image_model


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return mnist_like(tmp_path / "data", train=60, test=20)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))


def made(what: Path | str, data: Path, dataset: str | None = "mnist", count: int | None = None) -> Generated:
    return open_source(str(what), dataset, data).make(count, 10_000, 0, lambda _: None)


def test_pictures_come_in_a_random_order_with_the_labels_of_their_folders(tmp_path: Path, data: Path) -> None:
    folder = picture_folder(tmp_path / "pictures", 12)
    images, labels = squares(12, 3)
    found = made(folder, data)
    assert found.images is not None and found.labels is not None
    order = [next(i for i in range(12) if (images[i] == image).all()) for image in found.images]
    assert sorted(order) == list(range(12)) and order != list(range(12))
    assert found.labels.tolist() == labels[order].tolist()
    again = made(folder, data, count=5)
    assert again.images is not None and (again.images == found.images[:5]).all()


def test_loose_pictures_and_strange_folders_have_no_labels_and_it_is_said_why(tmp_path: Path, data: Path) -> None:
    loose = made(picture_folder(tmp_path / "loose", 4, labelled=False), data)
    assert loose.labels is None and "no class folders" in loose.unlabelled
    picture(tmp_path / "other" / "cat" / "1.png", squares(1, 0)[0][0, 0])
    other = made(tmp_path / "other", data)
    assert other.labels is None and "its folder cat is no class" in other.unlabelled


def test_colour_pictures_are_grey_where_the_data_set_is(tmp_path: Path, data: Path) -> None:
    picture(tmp_path / "rgb" / "0" / "1.png", np.full((28, 28, 3), 90, np.uint8))
    found = made(tmp_path / "rgb", data)
    assert found.images is not None and found.images.shape == (1, 1, 28, 28) and (found.images == 90).all()


def test_samples_that_neurogen_wrote_are_read_once_each(tmp_path: Path, data: Path) -> None:
    model = image_model()
    samples = model.sample(9, seed=1)
    found = made(write_samples(samples, model, tmp_path / "images", ("png", "npz")), data)
    assert len(found) == 9
    events = event_model()
    drawn = events.sample(5, seed=1)
    for formats in (("bin", "aedat4", "png", "npz"), ("aedat4", "hdf5")):
        folder = write_samples(drawn, events, tmp_path / formats[-1], formats)
        real = recordings(tmp_path / f"real-{formats[-1]}", {"Train/a": 2, "Train/b": 2, "Train/c": 2, "Test/a": 1})
        again = made(folder, real, "recordings")
        assert again.recordings is not None and len(again) == 5
        assert sorted(map(len, again.recordings)) == sorted(map(len, drawn.recordings()))


def test_a_model_gives_its_samples_with_the_labels_that_it_was_asked_for(tmp_path: Path, data: Path) -> None:
    model = image_model()
    found = made(model.save(tmp_path / "model"), data, None, 7)
    wanted = load(tmp_path / "model").sample(7, seed=0)
    assert (found.images == wanted.images).all() and (found.labels == wanted.labels).all()


def test_baselines_hold_out_what_they_call_real(data: Path) -> None:
    source = open_source("baseline:real", "mnist", data)
    real = source.make(None, 10_000, 0, lambda _: None)
    train = source.reference.images("train")
    assert len(real) == 10 and len(train) == 50  # one in six
    assert real.images is not None
    known = {image.tobytes() for image in train}
    assert not any(image.tobytes() in known for image in real.images)
    blurred = made("baseline:blurred", data, count=6)
    assert blurred.labels is not None and len(blurred) == 6
    assert made("baseline:pca", data, count=70).labels is None


def test_a_recording_folder_has_the_classes_of_its_data_set(tmp_path: Path) -> None:
    real = recordings(tmp_path / "real", {"Train/0": 2, "Train/1": 2, "Test/0": 1, "Test/1": 1})
    found = made(recordings(tmp_path / "made", {"1": 3, "0": 1}), real, "nmnist")
    assert found.labels is not None and sorted(found.labels.tolist()) == [0, 1, 1, 1]
    assert "its folder 7 is no class" in made(recordings(tmp_path / "odd", {"7": 1}), real, "nmnist").unlabelled


@pytest.mark.parametrize(
    ("what", "dataset", "said"),
    [
        ("empty", "mnist", "expected pictures"),
        ("mixed", "mnist", "expected 28x28 pixels as the first picture has, got 20x28"),
        ("broken", "mnist", "expected a picture"),
        ("pictures", None, "expected --dataset NAME"),
        ("pictures", "mnits", "expected --dataset to be one of digits, nmnist"),
        ("pictures", "digits", "expected --dataset to name images"),
        ("nowhere/at/all", "mnist", "expected a model, a run, a folder of images or recordings or baseline:NAME"),
        ("baseline:best", "mnist", "expected baseline:mean"),
        ("model", "fashion", "expected --dataset mnist"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    tmp_path: Path, data: Path, what: str, dataset: str | None, said: str
) -> None:
    (tmp_path / "empty").mkdir()
    picture_folder(tmp_path / "pictures", 3)
    shutil.copytree(tmp_path / "pictures", tmp_path / "mixed")
    picture(tmp_path / "mixed" / "2" / "z.png", np.zeros((28, 20), np.uint8))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no picture")
    image_model().save(tmp_path / "model")
    place = what if what.startswith("baseline") else tmp_path / what
    with pytest.raises(MetricError, match=said):
        made(place, data, dataset)


def test_an_altered_model_and_one_of_another_network_are_refused(tmp_path: Path, data: Path) -> None:
    folder = image_model().save(tmp_path / "model")
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("size: 32", "size: 64"))
    with pytest.raises(ModelFolderError, match="weights are of another network"):
        open_source(str(folder), None, data)
    (folder / "config.yaml").write_text(text)
    with open(folder / "weights.safetensors", "ab") as file:
        file.write(b"0")
    with pytest.raises(ModelFolderError, match="was altered or cut short"):
        open_source(str(folder), None, data)


def test_pictures_of_sixteen_bits_are_refused(tmp_path: Path, data: Path) -> None:
    (tmp_path / "deep").mkdir()
    Image.fromarray(np.zeros((28, 28), np.uint16)).save(tmp_path / "deep" / "a.png")
    with pytest.raises(MetricError, match="8 bits a channel"):
        made(tmp_path / "deep", data)


def test_data_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found nothing"):
        made("baseline:mean", tmp_path / "nowhere")
