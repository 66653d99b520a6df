"""FSVAE's Inception score against scipy's entropy on torchvision's network with seeded random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import inception_v3

from neurogen.metrics import fsvae_score as module
from neurogen.metrics import inception
from neurogen.metrics.errors import MetricError
from neurogen.metrics.fsvae_score import fsvae_score
from tests.neurogen.metrics.inception_weights import randomised

SIDE = 75  # pixels


def test_the_score_is_that_of_scipys_entropy_on_raw_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entropy = pytest.importorskip("scipy.stats").entropy
    for name, value in {"SPLITS": 2, "SPLIT": 4}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(inception, "SIZE", SIDE)
    monkeypatch.setattr(inception, "BATCH", 3)  # no figure depends on it
    network = inception_v3(weights=None, transform_input=False, init_weights=False)
    state = randomised(network, 0)
    state["fc.weight"] /= 50  # of 0..255 pixels: else each image has one class with probability 1
    network.load_state_dict(state)
    torch.save(state, tmp_path / "weights.pth")
    images = np.random.default_rng(0).integers(0, 256, (9, 1, 20, 20)).astype(np.uint8)
    x = torch.from_numpy(images[:8].astype(np.float32)).repeat(1, 3, 1, 1)
    with torch.no_grad():
        p = network.eval()(nn.Upsample((SIDE, SIDE), mode="bilinear")(x)).double().softmax(1).numpy()
    scores = [np.exp(np.mean([entropy(one, part.mean(0)) for one in part])) for part in (p[:4], p[4:])]
    mean, spread = fsvae_score(images, tmp_path / "weights.pth")
    assert mean == pytest.approx(np.mean(scores), rel=1e-5) and mean > 1.001
    assert spread == pytest.approx(np.std(scores), rel=1e-3, abs=1e-5)


def test_one_class_each_scores_the_number_of_classes() -> None:
    assert module.inception_score(torch.eye(7, dtype=torch.float64)) == pytest.approx(7)
    assert module.inception_score(torch.full((3, 5), 0.2, dtype=torch.float64)) == pytest.approx(1)


def test_too_few_images_and_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MetricError, match="expected 2560 images or more for FSVAE's Inception score, got 16"):
        fsvae_score(np.zeros((16, 1, 8, 8), np.uint8), tmp_path)
    monkeypatch.setattr(module, "SPLITS", 1)
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(MetricError, match="expected weights of torchvision's Inception, got others"):
        fsvae_score(np.zeros((256, 1, 8, 8), np.uint8), tmp_path / "other.pth")
