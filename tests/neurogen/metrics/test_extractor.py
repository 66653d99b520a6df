"""The shipped extractors are the published network; another folder is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neurogen.metrics.autoencoder_distance import AutoencoderFeatures, autoencoder_features
from neurogen.metrics.errors import MetricError
from neurogen.metrics.extractor import DATASETS, load_extractor
from neurogen.metrics.weights_folder import write_weights


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_shipped_one_gives_64_features_in_float32_in_eval_mode(dataset: str) -> None:
    network = load_extractor(dataset)
    assert not network.training
    assert {tensor.dtype for tensor in network.parameters()} == {torch.float32}
    features = autoencoder_features(
        network, np.random.default_rng(0).integers(0, 256, (9, 1, 28, 28), np.uint8), "eval"
    )
    assert features.shape == (9, 64)
    assert np.linalg.matrix_rank(features) == 9


def test_weights_come_back_as_float16_has_them(tmp_path: Path) -> None:
    network = AutoencoderFeatures(3, 16)
    half = {name: tensor.half() for name, tensor in network.state_dict().items()}
    again = load_extractor(write_weights(tmp_path / "one", "extractor", {"channels": 3, "width": 16}, half))
    assert all(torch.equal(tensor, half[name].to(tensor.dtype)) for name, tensor in again.state_dict().items())


def test_another_network_and_a_description_without_its_size_are_refused(tmp_path: Path) -> None:
    tensors = AutoencoderFeatures(1, 64).state_dict()
    folder = write_weights(tmp_path / "a", "extractor", {"channels": 1, "width": 32}, tensors)
    with pytest.raises(MetricError, match="the weights are of another network"):
        load_extractor(folder)
    folder = write_weights(tmp_path / "b", "extractor", {"channels": 1}, tensors)
    with pytest.raises(MetricError, match="expected channels and width of an extractor"):
        load_extractor(folder)
    folder = write_weights(tmp_path / "c", "classifier", {"dataset": "mnist"}, tensors)
    with pytest.raises(MetricError, match="expected weights of kind extractor, got classifier"):
        load_extractor(folder)
