"""The autoencoder distance reproduces the published statistics; its modes differ as they must."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neurogen.config import DataConfig
from neurogen.data import open_data
from neurogen.metrics.autoencoder_distance import (
    AutoencoderFeatures,
    autoencoder_features,
    load_features,
    load_moments,
)
from neurogen.metrics.errors import MetricError
from neurogen.metrics.frechet import frechet_distance, moments
from tests.data import data_path


def test_images(name: str, folder: str) -> NDArray[np.uint8]:
    config = DataConfig(name=name, channels=1, resolution=28, fit="none", path=str(data_path(folder)))
    return open_data(config, 1, "test").pixels


test_images.__test__ = False  # a helper


@pytest.mark.parametrize(("name", "folder"), [("mnist", "mnist"), ("fashion", "fashion-mnist")])
def test_the_published_statistics_of_the_test_images_are_reproduced(name: str, folder: str) -> None:
    weights = data_path("metric-weights/fsvae-autoencoder-fid")
    network = load_features(weights / "stat_checkpoints" / f"{name}_64.pth")
    features = autoencoder_features(network, test_images(name, folder), "paper")
    mine = moments(features)
    published = load_moments(weights / "stats" / f"{name}_test_64.npz")
    np.testing.assert_allclose(features.mean(0), published.mean, atol=1e-6)  # published in float32
    np.testing.assert_allclose(mine.covariance, published.covariance, atol=1e-6)
    assert frechet_distance(mine, published) < 1e-8


def test_paper_mode_does_not_see_contrast_and_eval_mode_does() -> None:
    torch.manual_seed(0)
    network = AutoencoderFeatures()
    images = np.random.default_rng(0).integers(0, 256, (512, 1, 32, 32)).astype(np.uint8)
    pale = (images // 2 + 64).astype(np.uint8)

    def distance(mode: str) -> float:
        a, b = (moments(autoencoder_features(network, x, mode)) for x in (images, pale))
        return frechet_distance(a, b)

    assert distance("paper") < 0.2 * distance("eval")


def test_eval_mode_does_not_depend_on_what_shares_a_batch_and_leaves_the_network_alone() -> None:
    torch.manual_seed(0)
    network = AutoencoderFeatures().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    images = np.random.default_rng(0).integers(0, 256, (300, 1, 32, 32)).astype(np.uint8)
    whole = autoencoder_features(network, images, "eval")
    np.testing.assert_allclose(autoencoder_features(network, images[:7], "eval"), whole[:7], atol=1e-5)
    autoencoder_features(network, images, "paper")
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_other_files_and_other_images_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    np.savez(tmp_path / "other.npz", mean=np.zeros(3))
    with pytest.raises(MetricError, match=r"absent\.pth: expected the published extractor's weights"):
        load_features(tmp_path / "absent.pth")
    with pytest.raises(MetricError, match="its content is none"):
        load_features(tmp_path / "text.pth")
    with pytest.raises(MetricError, match="those of another"):
        load_features(tmp_path / "other.pth")
    with pytest.raises(MetricError, match="expected mu and sigma"):
        load_moments(tmp_path / "other.npz")
    with pytest.raises(MetricError, match=r"images \(M, 1, H, W\)"):
        autoencoder_features(AutoencoderFeatures(), np.zeros((4, 3, 32, 32), np.uint8), "eval")
