"""The model as a user holds it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from event_tools import Frames, to_frames
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.tiny import event_model, image_model


def test_the_first_samples_do_not_depend_on_how_many_are_asked_for() -> None:
    model = event_model()
    few, many = model.sample(3, seed=5), model.sample(40, seed=5)
    assert np.array_equal(few.counts, many.counts[:3])
    assert np.array_equal(few.labels, many.labels[:3])
    assert few.recordings()[2] == many.recordings()[2]


def test_another_seed_gives_other_samples() -> None:
    model = event_model()
    assert not np.array_equal(model.sample(8, seed=0).codes, model.sample(8, seed=1).codes)


def test_recordings_have_exactly_the_sampled_counts() -> None:
    samples = event_model().sample(4)
    for counts, events in zip(samples.counts, samples.recordings(), strict=True):
        assert to_frames(events, edges=samples.edges) == Frames(counts, samples.edges)
        assert events.sensor_size == (18, 18)


def test_labels_are_drawn_as_in_training() -> None:
    labels = event_model().sample(600, temperature=1.0).labels
    share = np.bincount(labels, minlength=3) / 600
    assert np.abs(share - [0.1, 0.3, 0.6]).max() < 0.07  # three standard deviations of 600 draws at p = 0.6


def test_given_labels_are_kept() -> None:
    model = event_model()
    assert model.sample(3, labels=[2, 0, 1]).labels.tolist() == [2, 0, 1]
    assert model.sample(2, labels=1).labels.tolist() == [1, 1]


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(ValueError, match="expected labels 0 to 2, got 7 to 7"):
        event_model().sample(1, labels=7)


@pytest.mark.parametrize("seed", [-1, 1 << 63])
def test_a_seed_that_no_generator_takes_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="expected a seed from 0 to"):
        event_model().sample(1, seed=seed)


def test_moving_a_model_gives_the_model_back() -> None:
    model = event_model()
    assert model.to("cpu") is model
    assert model.device == torch.device("cpu")


def test_images_are_encoded_and_decoded_in_their_own_shape() -> None:
    model = image_model()
    x = torch.rand(3, 1, 16, 16) * 2 - 1
    codes = model.encode(x)
    assert codes.shape == (3, 4, 4)
    assert codes.dtype == torch.int64
    assert model.decode(codes).shape == x.shape


def test_a_model_without_prior_says_how_to_get_one() -> None:
    import dataclasses

    model = TwoStageModel(dataclasses.replace(event_model().stored, prior=None, prior_config=None))
    with pytest.raises(ValueError, match="first_stage=RUN"):
        model.sample(1)


def test_a_prefix_of_codes_is_completed() -> None:
    model = event_model()
    prefix = torch.tensor([[3, 1, 4, 1, 5]])
    samples = model.sample(1, prefix=prefix)
    assert samples.codes.reshape(1, -1)[0, :5].tolist() == [3, 1, 4, 1, 5]


@pytest.mark.parametrize("shape", [(3, 5), (1, 5), (5,), (2, 17)])
def test_a_prefix_that_is_not_one_row_a_sample_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected a prefix of shape \(2, 16 or less\), got "):
        event_model().sample(2, prefix=torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        (torch.full((2, 4, 4), 32), r"expected codes 0 to 31, got 32 to 32"),
        (torch.full((2, 4, 4), -1), r"expected codes 0 to 31, got -1 to -1"),
        (torch.zeros(2, 4, 4), r"expected codes of torch.int64, got torch.float32; pass codes.long\(\)"),
        (torch.zeros(2, 4, 4, dtype=torch.uint8), r"expected codes of torch.int64, got torch.uint8"),
        (torch.zeros(2, 4, 5, dtype=torch.int64), r"expected codes of shape \(N, 4, 4\), got \(2, 4, 5\)"),
        (torch.zeros(4, 4, dtype=torch.int64), r"expected codes of shape \(N, 4, 4\), got \(4, 4\)"),
    ],
)
def test_codes_that_the_codebook_does_not_have_are_refused_before_they_reach_a_device(
    codes: torch.Tensor, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        event_model().decode(codes)


def test_reconstruct_is_decode_of_encode() -> None:
    model = event_model()
    x = torch.rand(5, 4, 2, 16, 16)
    assert torch.equal(model.reconstruct(x), model.decode(model.encode(x)))
    assert model.encode(x).shape == (5, 4, 4)


def test_images_are_eight_bit() -> None:
    samples = image_model().sample(5)
    assert samples.images.shape == (5, 1, 16, 16)
    assert samples.images.dtype == np.uint8
    with pytest.raises(ValueError, match="got images"):
        samples.recordings()


def test_b5_values_beyond_the_range_are_clamped() -> None:
    model, n = image_model(), 3
    values = torch.tensor([-7.0, 0.0, 7.0]).view(3, 1, 1, 1).expand(n, 1, 16, 16)
    images = model.finish(values, torch.zeros(n, 4, 4, dtype=torch.int64), np.zeros(n, np.int64)).images
    assert [image.min() for image in images] == [image.max() for image in images] == [0, 128, 255]
