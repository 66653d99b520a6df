"""The judging classifier: what enters it, what comes out, and that the shipped ones are those of their cards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax

from event_tools import Events
from neurogen.metrics.classifier import (
    FORMS,
    Classifier,
    Judge,
    Judged,
    event_counts,
    load_classifier,
    network_input,
)
from neurogen.metrics.errors import MetricError
from neurogen.metrics.fitting import new_classifier
from neurogen.metrics.weights_folder import write_weights
from tests.data import data_path
from train.classifier import accuracy, opened

DATA = {"mnist": "mnist", "fashion": "fashion-mnist", "nmnist": "n-mnist/n-mnist-1100.zip"}


def images(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 1, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize("dataset", FORMS)
def test_the_shipped_one_recognises_the_first_test_items_as_its_card_lets_expect(dataset: str) -> None:
    judge = load_classifier(dataset)
    inputs, labels = opened(dataset, data_path(DATA[dataset]), "test")
    stated = judge.measured["test_accuracy"]
    error = np.sqrt(stated * (1 - stated) / min(len(labels), 1000))
    judged = judge(inputs[:1000])
    assert (judged.predicted == labels[:1000]).mean() == pytest.approx(stated, abs=4 * error)
    assert np.square(judged.features).mean() == pytest.approx(1, abs=0.15)  # 1 over the training items


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "aim"), [("mnist", 0.993), ("fashion", 0.92), ("nmnist", 0.95)])
def test_the_shipped_one_recognises_as_many_test_items_as_its_card_says(dataset: str, aim: float) -> None:
    judge = load_classifier(dataset)
    found = accuracy(judge, *opened(dataset, data_path(DATA[dataset]), "test"))
    assert found == pytest.approx(judge.measured["test_accuracy"], abs=2e-4)  # another CPU may round two images over
    assert found >= aim


@pytest.mark.parametrize("dataset", FORMS)
def test_the_shipped_one_is_small_and_has_the_features_of_its_form(dataset: str) -> None:
    judge = load_classifier(dataset)
    assert sum(tensor.numel() * 4 for tensor in judge.network.state_dict().values()) < 400_000
    judged = judge(np.zeros((2, *FORMS[dataset].shape), np.uint8))
    assert judged.features.shape == (2, FORMS[dataset].width)
    assert judged.logits.shape == (2, 10)


def test_an_item_is_judged_alike_whatever_shares_its_batch() -> None:
    judge = Judge("mnist", new_classifier(FORMS["mnist"], 0).eval(), {})
    x = images(300)
    whole, alone = judge(x), judge(x[290:291])
    np.testing.assert_array_equal(whole.features[290:291], alone.features)
    np.testing.assert_array_equal(whole.logits[290:291], alone.logits)


def test_logits_are_linear_in_the_rectified_features() -> None:
    judge = Judge("mnist", new_classifier(FORMS["mnist"], 0).eval(), {})
    judged, last = judge(images(5)), judge.network.logits
    wanted = np.maximum(judged.features, 0) @ last.weight.detach().numpy().T + last.bias.detach().numpy()
    np.testing.assert_allclose(judged.logits, wanted, atol=1e-5)
    assert (judged.features < 0).any()


def test_probabilities_are_the_softmax_of_the_logits_even_of_large_ones() -> None:
    logits = np.array([[0, 1, 2], [1000, -1000, 999]], np.float32)
    judged = Judged(np.zeros((2, 1), np.float32), logits)
    np.testing.assert_allclose(judged.probabilities, softmax(logits.astype(np.float64), 1), rtol=1e-12)
    assert judged.predicted.tolist() == [2, 0]


def test_images_enter_from_0_to_1_and_counts_as_square_roots_with_a_channel_for_each_bin_and_polarity() -> None:
    x = np.zeros((1, 1, 28, 28), np.uint8)
    x[0, 0, 3, 4] = 255
    assert network_input(x, FORMS["mnist"])[0, 0, 3, 4] == 1
    counts = np.zeros((1, 4, 2, 32, 32), np.int32)
    counts[0, 2, 1, 5, 6] = 9
    entered = network_input(counts, FORMS["nmnist"])
    assert entered.shape == (1, 8, 32, 32)
    assert entered[0, 5, 5, 6] == 3
    assert entered.sum() == 3


def test_recordings_are_counted_in_four_equal_bins_of_the_central_pixels() -> None:
    events = Events([0, 10, 30, 40], [0, 1, 32, 16], [5, 1, 32, 16], [1, 0, 1, 1], (34, 34))
    counts = event_counts([events])
    assert counts.shape == (1, 4, 2, 32, 32)
    assert counts.sum() == 3  # the first lies in the outermost column
    assert counts[0, 1, 0, 0, 0] == 1
    assert counts[0, 3, 1, 31, 31] == 1
    assert counts[0, 3, 1, 15, 15] == 1
    assert event_counts([]).shape == (0, 4, 2, 32, 32)


def test_other_shapes_none_at_all_and_another_sensor_are_refused_in_a_sentence() -> None:
    judge = Judge("mnist", Classifier(FORMS["mnist"]), {})
    with pytest.raises(MetricError, match=r"images \(N, C, H, W\) of shape \(1, 28, 28\).*got \(3, 1, 32, 32\)"):
        judge(np.zeros((3, 1, 32, 32), np.uint8))
    with pytest.raises(MetricError, match=r"one or more, got \(0, 1, 28, 28\)"):
        judge(images(0))
    with pytest.raises(MetricError, match=r"event counts .* got \(1, 4, 2, 34, 34\)"):
        network_input(np.zeros((1, 4, 2, 34, 34), np.int32), FORMS["nmnist"])
    with pytest.raises(MetricError, match="of a 34x34 sensor, got 128x128"):
        event_counts([Events([0], [0], [0], [1], (128, 128))])


def test_weights_of_another_data_set_or_network_are_refused(tmp_path: Path) -> None:
    tensors = new_classifier(FORMS["mnist"], 0).state_dict()
    folder = write_weights(tmp_path / "a", "classifier", {"dataset": "cifar10"}, tensors)
    with pytest.raises(MetricError, match="expected a classifier of mnist, fashion, nmnist, got 'cifar10'"):
        load_classifier(folder)
    folder = write_weights(tmp_path / "b", "classifier", {"dataset": "nmnist"}, tensors)
    with pytest.raises(MetricError, match="the weights are of another network"):
        load_classifier(folder)


def test_first_weights_are_a_function_of_the_seed_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = (new_classifier(FORMS["mnist"], seed).logits.weight for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)
