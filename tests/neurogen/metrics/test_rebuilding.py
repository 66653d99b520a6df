"""Reconstructions and their errors, block by block and at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from event_tools import to_frames
from neurogen.config import DataConfig
from neurogen.data import open_data
from neurogen.metrics import rebuilding
from neurogen.metrics.rebuilding import rebuild
from tests.neurogen.metrics.small_data import mnist_like
from tests.neurogen.tiny import event_model, image_model
from tests.neurogen.training.runs import make_recordings


def test_images_come_back_as_the_model_gives_them_whatever_is_held_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(mnist_like(tmp_path))
    model = image_model()
    data = open_data(DataConfig(name="mnist", path=path, resolution=16, channels=1, fit="resize"), 2, "test")
    index = np.arange(70)
    x = data.batch(index)
    values = model.reconstruct(x)
    wanted = float(((values - x).double() ** 2).mean())
    images = ((values.clamp(-1, 1) + 1) * 127.5).round().numpy().astype(np.uint8)
    for block in (1024, 32):
        monkeypatch.setattr(rebuilding, "BLOCK", block)
        rebuilt = rebuild(model, data, index)
        assert rebuilt.mse == pytest.approx(wanted, rel=1e-6)
        assert rebuilt.images is not None and (rebuilt.images == images).all()
        assert (rebuilt.codes == model.encode(x)).all()
        assert rebuilt.counts is None and rebuilt.count_errors is None


def test_recordings_come_back_as_whole_counts_in_their_own_bins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    path = str(make_recordings(tmp_path / "data"))
    model = event_model()
    config = model.config.data.model_copy(update={"name": "nmnist", "path": path})
    data = open_data(config, 4, "test")
    object.__setattr__(model.stored, "scaling", data.scaling)
    rebuilt = rebuild(model, data, np.array([1, 5]))
    assert rebuilt.images is None and rebuilt.count_errors is not None
    assert rebuilt.counts is not None and rebuilt.counts.shape == (2, 4, 2, 34, 34)
    for counts, recording, edges in zip(rebuilt.counts, rebuilt.recordings(data), data.edges[[1, 5]], strict=True):
        assert (to_frames(recording, edges=edges).counts == counts).all()
    true = data.scaling.fitted(data.counts[[1, 5]]).astype(float)
    found = data.scaling.fitted(rebuilt.counts)
    assert rebuilt.count_errors["mse_counts_rounded"] == pytest.approx(np.square(found - true).mean())
