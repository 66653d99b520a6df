"""A model of one network as a user holds it: keyed draws, streams, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from neurogen.latent_model import LatentModel
from neurogen.model_folder import DataInfo, StoredModel
from neurogen.models.latent_network import LatentNetwork

STEPS, WIDTH = 3, 2


class Painter(LatentNetwork):
    """Spikes (3, N, 2) that a uniform number below one half makes; an image is grey by how many there are."""

    item_axis = 1
    draws = encoding_draws = STEPS * WIDTH

    def __init__(self, classes: int = 0, ready: bool = True, encodes: bool = True) -> None:
        super().__init__()
        self.classes, self.ready, self.encodes = classes, ready, encodes

    @property
    def generates(self) -> bool:
        return self.ready

    def draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Tensor:
        return (uniforms < 0.5).float().view(-1, STEPS, WIDTH).transpose(0, 1)

    def encode(self, x: Tensor, uniforms: Tensor) -> Tensor:
        return self.draw(uniforms)

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        grey = latents.mean((0, 2)) * 2 - 1 if labels is None else labels / 4.0
        return grey.view(-1, 1, 1, 1).expand(-1, 1, 4, 4)

    def stream(self, uniforms: Tensor, labels: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        latents = self.draw(uniforms)
        for t in range(STEPS):
            yield latents[t], self.decode(latents[: t + 1])


def model(**how: object) -> LatentModel:
    config = SimpleNamespace(system="painter", makes_recordings=False)
    info = DataInfo(("a", "b", "c"), (10, 30, 60))
    return LatentModel(StoredModel(config, Painter(**how), None, info, None, None, {}, ""))  # type: ignore[arg-type]


def test_the_first_samples_do_not_depend_on_how_many_are_asked_for() -> None:
    few, many = model().sample(3, seed=5), model().sample(40, seed=5)
    assert np.array_equal(few.images, many.images[:3])
    assert np.array_equal(few.latents, many.latents[:, :3])
    assert few.latents.shape == (STEPS, 3, WIDTH)
    assert few.codes is None


def test_another_seed_gives_other_samples() -> None:
    assert not np.array_equal(model().sample(8, seed=0).latents, model().sample(8, seed=1).latents)


def test_an_item_has_the_same_latents_in_whatever_company_it_is_encoded() -> None:
    x = torch.zeros(40, 1, 4, 4)
    assert torch.equal(model().encode(x)[:, :33], model().encode(x[:33]))
    assert not torch.equal(model().encode(x, seed=1), model().encode(x))


def test_a_stream_ends_with_the_sample() -> None:
    sample = model().sample(5, seed=3)
    steps = list(model().stream(5, seed=3))
    assert np.array_equal(np.stack([latents.numpy() for latents, _ in steps]), sample.latents)
    assert np.array_equal(((steps[-1][1] + 1) * 127.5).round().to(torch.uint8).numpy(), sample.images)


def test_labels_reach_a_network_that_knows_them() -> None:
    samples = model(classes=3).sample(3, labels=[2, 0, 1])
    assert samples.labels.tolist() == [2, 0, 1]
    assert samples.images[:, 0, 0, 0].tolist() == [191, 128, 159]  # (label / 4 + 1) * 127.5
    assert model(classes=3).conditional and not model().conditional


def test_labels_for_a_network_that_knows_none_are_refused() -> None:
    with pytest.raises(ValueError, match="expected no labels, this model is unconditional; train one with"):
        model().sample(3, labels=1)


def test_a_model_without_an_encoder_refuses_to_encode() -> None:
    with pytest.raises(ValueError, match="expected a model with an encoder, got the generator of painter"):
        model(encodes=False).encode(torch.zeros(1, 1, 4, 4))


def test_a_model_that_was_never_settled_refuses_to_sample() -> None:
    unsettled = model(ready=False)
    assert not unsettled.generates
    with pytest.raises(ValueError, match="expected a model whose latents have a density"):
        unsettled.sample(1)


def test_more_streams_than_a_batch_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="expected up to 32 samples to stream, got 33"):
        next(model().stream(33))
