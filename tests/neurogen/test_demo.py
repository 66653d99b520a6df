"""The demo from end to end, with tiny configurations in place of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import neurogen
from event_tools import read
from neurogen.config import dump_config
from neurogen.data import open_data
from neurogen.demo import _judged, run_demo
from neurogen.sampling import OutputError
from tests.neurogen.training.runs import make_recordings, prior_run_config, stage1_config

CLASSES, PER_CLASS = 3, 4


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    folder = tmp_path_factory.mktemp("demo")
    data = make_recordings(folder / "data")
    texts = {
        "tts_vqvae/nmnist-small": dump_config(stage1_config(data)),
        "prior/nmnist-small": dump_config(prior_run_config(folder / "elsewhere")),
    }

    def find_config(name: str) -> Path:
        path = folder / f"{name.replace('/', '-')}.yaml"
        path.write_text(texts[name], encoding="utf-8")
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUROGEN_CACHE", str(folder / "cache"))
        figures = run_demo(folder / "out", find_config, data)
        before = (folder / "out" / "prior" / "model" / "weights.safetensors").stat().st_mtime_ns
        again = run_demo(folder / "out", find_config, data)
    assert (folder / "out" / "prior" / "model" / "weights.safetensors").stat().st_mtime_ns == before
    assert again == figures
    return folder / "out", figures


def test_it_leaves_recordings_a_gif_a_model_and_a_report(demo: tuple[Path, dict[str, object]]) -> None:
    out, _ = demo
    assert {path.name for path in out.iterdir()} == {
        "chip",
        "first_stage",
        "model",
        "prior",
        "recordings",
        "recordings.gif",
        "report.html",
    }
    assert (out / "recordings.gif").read_bytes()[:4] == b"GIF8"


def test_every_class_has_four_recordings_equal_in_three_formats(demo: tuple[Path, dict[str, object]]) -> None:
    out, _ = demo
    files = sorted((out / "recordings" / "Train").rglob("*.bin"))
    assert [path.parent.name for path in files] == [str(k) for k in range(CLASSES) for _ in range(PER_CLASS)]
    for path in files:
        events = read(path)
        for folder, suffix in (("aedat4", ".aedat4"), ("hdf5", ".h5")):
            assert read(out / "recordings" / folder / path.parent.name / (path.stem + suffix)) == events


def test_the_model_folder_gives_the_recordings_again(demo: tuple[Path, dict[str, object]]) -> None:
    out, _ = demo
    labels = np.repeat(np.arange(CLASSES), PER_CLASS)
    samples = neurogen.load(out / "model").sample(len(labels), labels=labels, seed=0)
    with np.load(out / "recordings" / "samples.npz", allow_pickle=False) as stored:
        assert np.array_equal(stored["counts"], samples.counts)
        assert np.array_equal(stored["labels"], labels)


def test_the_report_loads_nothing_and_shows_the_figures(demo: tuple[Path, dict[str, object]]) -> None:
    out, figures = demo
    page = (out / "report.html").read_text(encoding="utf-8")
    assert str(figures["recognised"]) in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "://" not in re.sub(r"http://www.w3.org/[\w/]+", "", page)


def test_the_decoder_lies_beside_as_files_for_a_chip(demo: tuple[Path, dict[str, object]]) -> None:
    out, figures = demo
    files = {path.name for path in (out / "chip").iterdir()}
    assert files == {"decoder.net", "decoder.net.json", "decoder.nir", "samples.npz", "report.json", "report.html"}
    agreement = json.loads((out / "chip" / "report.json").read_text(encoding="utf-8"))["agreement"]
    assert figures["differ_on_the_chip"] == agreement["float_simulated"] / agreement["entries"]


def test_a_folder_of_somebody_elses_recordings_is_refused_and_kept(tmp_path: Path) -> None:
    theirs = tmp_path / "out" / "recordings" / "mine.bin"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"mine")
    with pytest.raises(OutputError, match="expected --out to be a new or empty folder"):
        run_demo(tmp_path / "out", lambda name: Path(name))
    assert theirs.read_bytes() == b"mine"


def test_the_classifier_sees_some_of_every_class_of_a_large_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("neurogen.demo.JUDGED", 6)
    config = stage1_config(make_recordings(tmp_path / "data"))
    counts, labels = _judged(open_data(config.data, config.model.steps, "train"))
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert counts.shape == (6, config.model.steps, 2, 34, 34)


def test_the_figures_count_recognised_recordings_of_all(demo: tuple[Path, dict[str, object]]) -> None:
    _, figures = demo
    right, of, asked = str(figures["recognised"]).split()
    assert of == "of"
    assert int(asked) == CLASSES * PER_CLASS >= int(right) >= 0
