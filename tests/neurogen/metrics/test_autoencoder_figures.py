"""The autoencoder distance of generated images, its two modes and its floor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neurogen.metrics import autoencoder_distance, autoencoder_figures
from neurogen.metrics.autoencoder_distance import AutoencoderFeatures, autoencoder_features
from neurogen.metrics.autoencoder_figures import DRAWS, AutoencoderDistance, Extractor, drawn, open_extractor
from neurogen.metrics.errors import MetricError
from neurogen.metrics.frechet import Moments, frechet_distance, moments
from tests.data import data_path
from tests.neurogen.metrics.small_data import squares


@pytest.fixture
def extractor() -> Extractor:
    torch.manual_seed(0)
    return Extractor(AutoencoderFeatures(1, 4), "random")


@pytest.fixture
def short_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoencoder_figures, "PAPER_COUNT", 40)
    monkeypatch.setattr(autoencoder_distance, "BATCH", 20)


def test_the_distance_is_scipys_on_the_networks_own_features_whatever_the_batch(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    real, made = squares(60, 1, 32)[0], squares(50, 2, 32)[0]
    network = extractor.network.eval()
    with torch.no_grad():
        a, b = (network(torch.from_numpy(x.astype(np.float32) / 127.5 - 1)).double().numpy() for x in (made, real))
    covariances = [np.cov(x, rowvar=False) for x in (a, b)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    wanted = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(sum(covariances) - 2 * root)
    for batch in (256, 7):
        monkeypatch.setattr(autoencoder_distance, "BATCH", batch)
        found = AutoencoderDistance(extractor, "eval", real).of(made, seed=0)
        assert found == pytest.approx(wanted, rel=1e-4)  # features are float32


@pytest.mark.usefixtures("short_paper")
def test_paper_mode_takes_so_many_images_in_an_order_that_the_seed_draws(extractor: Extractor) -> None:
    real, made = squares(60, 1, 32)[0], squares(90, 2, 32)[0]
    distance = AutoencoderDistance(extractor, "paper", real)
    target = moments(autoencoder_features(extractor.network, real, "paper"))
    chosen = drawn(made, 40, seed=3)
    assert len({image.tobytes() for image in chosen}) == 40
    by_hand = frechet_distance(moments(autoencoder_features(extractor.network, chosen, "paper")), target)
    assert distance.of(made, seed=3) == pytest.approx(by_hand, rel=1e-12)
    assert distance.of(made, seed=4) != pytest.approx(by_hand, rel=1e-3)


def test_a_floor_is_the_mean_least_and_greatest_of_ten_draws_of_as_many_real_images(extractor: Extractor) -> None:
    real, train = squares(60, 1, 32)[0], squares(80, 2, 32)[0]
    distance = AutoencoderDistance(extractor, "eval", real)
    each = [distance.of(drawn(train, 30, 5 + draw), 0) for draw in range(DRAWS)]
    assert len(set(each)) == DRAWS == 10
    floor = distance.floor(train, 30, seed=5)
    assert floor == pytest.approx({"floor": np.mean(each), "floor_least": min(each), "floor_most": max(each)})
    assert distance.floor(train, 81, seed=5) == {}


def test_fewer_images_than_a_mode_needs_are_refused(extractor: Extractor) -> None:
    images = squares(60, 1, 32)[0]
    with pytest.raises(MetricError, match="expected 8 images or more for 4 features, got 7; raise --count"):
        AutoencoderDistance(extractor, "eval", images).of(images[:7], 0)
    with pytest.raises(MetricError, match="expected 5,120 images or more for paper mode, got 60"):
        AutoencoderDistance(extractor, "paper", images).of(images, 0)


@pytest.mark.usefixtures("short_paper")
def test_published_moments_are_the_reference_in_paper_mode_alone(extractor: Extractor) -> None:
    images = squares(60, 1, 32)[0]
    published = Extractor(extractor.network, "published", Moments(np.full(4, 100.0), np.eye(4), 0))
    assert AutoencoderDistance(published, "paper", images).of(images, 0) > 30_000
    assert AutoencoderDistance(published, "eval", images).of(images, 0) == pytest.approx(0, abs=1e-6)


def test_an_extractor_comes_from_a_file_or_from_the_published_folder_with_its_moments() -> None:
    release = data_path("metric-weights/fsvae-autoencoder-fid")
    whole = open_extractor("fashion", release)
    assert whole.published is not None
    alone = open_extractor("fashion", release / "stat_checkpoints" / "fashion_64.pth")
    assert alone.published is None
    assert torch.equal(whole.network.latent_layer.weight, alone.network.latent_layer.weight)


def test_a_data_set_without_an_extractor_and_a_folder_without_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match="no extractor ships for cifar10; give --extractor"):
        open_extractor("cifar10", None)
    with pytest.raises(MetricError, match=r"mnist_64\.pth: expected the published extractor's weights"):
        open_extractor("mnist", tmp_path)
