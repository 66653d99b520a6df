"""Generators of the spiking GANs: what they make, what they refuse, and that no call depends on the one before."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from neurogen.config import ConfigError, GANConfig, parse_config
from neurogen.models.gan import Generator
from neurogen.models.making import make_network
from tests.neurogen.models.gans import N, T, gan_config, made, uniforms

SYSTEMS = ("sgan", "swgan", "sgad")
CLOSE = 1e-10  # float64, sums of some hundred terms of order 1


def full_config(system: str, data: dict[str, Any], **model: Any) -> GANConfig:
    config = parse_config({"system": system, "data": data, "model": model})
    assert isinstance(config, GANConfig)
    return config


MNIST = {"name": "mnist", "resolution": 28, "channels": 1}
CELEBA = {"name": "celeba", "resolution": 64, "channels": 3}
SIZES = [
    (MNIST, {}, (1, 28, 28)),
    (CELEBA, {"start": 8, "widths": [128, 64, 32], "scoring": "rgb"}, (3, 64, 64)),
    ({"name": "cifar10", "channels": 3}, {"start": 8}, (3, 32, 32)),
    ({"name": "cifar10", "channels": 3}, {"start": 4, "widths": [128, 64, 32]}, (3, 32, 32)),
    ({"name": "nmnist", "resolution": 28, "fit": "resize"}, {"steps": 4, "coding": "event"}, (4, 2, 28, 28)),
    (
        {"name": "dvs_cifar10", "resolution": 64, "fit": "resize"},
        {"steps": 4, "coding": "event", "start": 8, "widths": [128, 64, 32]},
        (4, 2, 64, 64),
    ),
]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(("data", "model", "shape"), SIZES)
def test_published_sizes_make_items_of_their_data(
    system: str, data: dict[str, Any], model: dict[str, Any], shape: tuple[int, ...]
) -> None:
    with torch.device("meta"):
        generator = make_network(full_config(system, data, **{"steps": 2, **model}))
        assert isinstance(generator, Generator)
        made_of = generator.decode(torch.empty(2, generator.latent))
        seen = generator.judged(torch.empty(2, generator.latent))
    assert made_of.shape == (2, *shape)
    frames = len(shape) == 4 or system == "sgan"
    assert seen.shape == ((generator.steps, 2, *shape[-3:]) if frames else (2, *shape))


@pytest.mark.parametrize(
    ("system", "latent", "parameters"),
    # by hand: L 1024 + 2 x 1024 + 1024 x 6272 + 2 x 6272 + 128 x 64 x 16 + 2 x 64 + 64 x 16 + 1, and scoring's
    [("sgan", 100, 6_671_745), ("swgan", 10, 6_579_585), ("sgad", 10, 6_579_585 + 401_920)],
)
def test_published_generators_have_their_parameters(system: str, latent: int, parameters: int) -> None:
    with torch.device("meta"):
        generator = Generator(full_config(system, MNIST, latent=latent))
    assert sum(parameter.numel() for parameter in generator.parameters()) == parameters


@pytest.mark.parametrize("event", [False, True])
@pytest.mark.parametrize("system", SYSTEMS)
def test_no_call_depends_on_the_one_before(system: str, event: bool) -> None:
    generator, judge = made(gan_config(system, event=event))
    generator.eval()
    judge.eval()
    first, second = (generator.draw(uniforms(generator, seed=seed)) for seed in (1, 2))
    alone = generator.decode(first)
    generator.decode(second)
    assert torch.equal(generator.decode(first), alone)
    fake, real = generator.judged(first), judge.present(torch.rand_like(alone))
    score = judge(real)
    judge(fake)
    assert torch.equal(judge(real), score)
    assert alone.std() > 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_item_does_not_depend_on_its_batch_when_evaluated(system: str) -> None:
    generator, _ = made(gan_config(system))
    generator.eval()
    latents = generator.draw(uniforms(generator))
    whole = generator.decode(latents)
    torch.testing.assert_close(generator.decode(latents[1:2]), whole[1:2], rtol=0, atol=CLOSE)
    assert not torch.allclose(whole[0], whole[1])


@pytest.mark.parametrize("coding", ["direct", "rate", "ttfs"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_last_of_a_stream_is_what_decoding_gives(system: str, coding: str) -> None:
    generator, _ = made(gan_config(system, coding=coding))
    generator.eval()
    draws = uniforms(generator)
    latents = generator.draw(draws)
    steps = [*generator.stream(draws)]
    assert len(steps) == T
    assert all(latent.shape == (N, 5) and values.shape == (N, 3, 16, 16) for latent, values in steps)
    torch.testing.assert_close(steps[-1][1], generator.decode(latents), rtol=0, atol=CLOSE)
    assert not torch.allclose(steps[0][1], steps[-1][1])


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_streamed_recording_grows_by_a_frame_a_step(system: str) -> None:
    generator, _ = made(gan_config(system, event=True))
    generator.eval()
    draws = uniforms(generator)
    values = generator.decode(generator.draw(draws))
    for t, (_, frames) in enumerate(generator.stream(draws), 1):
        torch.testing.assert_close(frames, values[:, :t], rtol=0, atol=CLOSE)


def test_streamed_memories_are_those_of_generators_of_fewer_steps() -> None:
    generator, _ = made(gan_config("sgad"))
    generator.eval()
    draws = uniforms(generator)
    shorter = copy.deepcopy(generator)
    shorter.steps = 2
    steps = [values for _, values in generator.stream(draws)]
    torch.testing.assert_close(steps[1], shorter.decode(generator.draw(draws)), rtol=0, atol=CLOSE)


def test_latents_are_normal() -> None:
    generator, _ = made(gan_config())
    uniforms = torch.tensor([[0.0, 0.5, 0.841344746068543, 1 - 2.0**-53, 0.0227501319481792]], dtype=torch.float64)
    latents = generator.draw(uniforms)[0]
    assert latents.isfinite().all()
    torch.testing.assert_close(latents[[1, 2, 4]], torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64))


def test_rate_coding_draws_spikes_of_uniform_latents() -> None:
    generator, _ = made(gan_config(coding="rate"))
    assert (generator.draws, generator.item_axis) == (5 * (1 + T), 1)
    latents = generator.draw(uniforms(generator, 2000))
    assert latents.shape == (T, 2000, 5)
    assert set(latents.unique().tolist()) == {0.0, 1.0}
    counts = latents.sum(0).flatten()  # of uniform rates all counts are as likely
    shares = torch.bincount(counts.long(), minlength=T + 1) / len(counts)
    torch.testing.assert_close(shares, torch.full((T + 1,), 1 / (T + 1)), rtol=0, atol=0.03)


@pytest.mark.parametrize("event", [False, True])
def test_labels_change_what_is_made(event: bool) -> None:
    generator, _ = made(gan_config(event=event, classes=3))
    generator.eval()
    latents = generator.draw(uniforms(generator))
    made_of = [generator.decode(latents, torch.full((N,), label)) for label in (0, 2, 0)]
    assert torch.equal(made_of[0], made_of[2])
    assert not torch.allclose(made_of[0], made_of[1])


def test_images_are_within_the_models_range() -> None:
    for system in SYSTEMS:
        generator, _ = made(gan_config(system))
        values = generator.decode(generator.draw(uniforms(generator)))
        assert -1 <= values.min() < -0.5 and 0.2 < values.max() <= 1


def test_recordings_reach_from_nothing_to_the_peak() -> None:
    generator, judge = made(gan_config("sgan", event=True, peak=3.0))
    values = generator.decode(generator.draw(uniforms(generator)))
    assert values.unique().tolist() == [0.0, 3.0]
    counts = torch.tensor([0.0, 1.5, 3.0, 7.0]).view(1, T, 1, 1, 1).expand(1, T, 2, 16, 16)
    assert judge.present(counts)[:, 0, 0, 0, 0].tolist() == [0.0, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("system", ["swgan", "sgad"])
def test_fresh_generators_of_recordings_make_nearly_empty_frames(system: str) -> None:
    generator = Generator(gan_config(system, event=True, peak=3.0)).eval()
    assert generator.decode(generator.draw(uniforms(generator))).mean() < 0.2 * 3.0  # without: half of the peak


def test_recordings_scaled_each_by_itself_are_seen_as_images_are() -> None:
    config = parse_config(
        {
            "system": "sgad",
            "data": {"name": "digits", "channels": 2, "resolution": 16, "fit": "resize", "scaling": "recording"},
            "model": {"coding": "event", "start": 4, "widths": [6, 4], "steps": T, "discriminator": {"widths": [3]}},
        }
    )
    assert isinstance(config, GANConfig)
    generator, judge = made(config)
    values = generator.decode(generator.draw(uniforms(generator)))
    assert values.shape == (N, T, 2, 16, 16)
    assert values.min() < 0
    torch.testing.assert_close(judge.present(values).transpose(0, 1) * 2 - 1, values)


@pytest.mark.parametrize(
    ("settings", "latents", "labels", "expected"),
    [
        ({}, (N, 6), None, r"expected latents \(N, 5\), got \(3, 6\); give those that this generator draws"),
        ({}, (T, N, 5), None, r"expected latents \(N, 5\), got \(4, 3, 5\)"),
        ({"coding": "rate"}, (N, T, 5), None, r"expected latents \(4, N, 5\), got \(3, 4, 5\)"),
        ({"classes": 3}, (N, 5), None, r"expected labels below 3 for each of the latents, got none"),
    ],
)
def test_other_latents_are_answered_with_the_right_ones(
    settings: dict[str, Any], latents: tuple[int, ...], labels: Tensor | None, expected: str
) -> None:
    generator, _ = made(gan_config(**settings))
    with pytest.raises(ValueError, match=expected):
        generator.decode(torch.zeros(latents), labels)


def test_there_is_no_encoder() -> None:
    generator, _ = made(gan_config())
    assert not generator.encodes
    with pytest.raises(ValueError, match="expected a model with an encoder, got Generator, which has none"):
        generator.encode(torch.zeros(N, 3, 16, 16), torch.zeros(N, 0))


REFUSED = [
    ({"start": 8}, "data.resolution=16 is not what the generator makes, 8 x 2\\^2 = 32; change model.start"),
    ({"widths": [6]}, "data.resolution=16 is not what the generator makes, 4 x 2\\^1 = 8"),
    ({"steps": 1}, "expected model.steps of 2 or more for system=sgad, got 1"),
    ({"judge": {"widths": [3, 5, 7]}}, "data.resolution=16 is too small for 3 stages of a 5x5 convolution"),
    ({"judge": {"kind": "linear"}}, "model.discriminator.norm=batch does not go with model.discriminator.kind=linear"),
    ({"coding": "event"}, "model.coding=event does not go with data.name=images"),
    ({"latent": 0}, "model.latent: expected a number of at least 1, got 0"),
]


@pytest.mark.parametrize(("settings", "expected"), REFUSED)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        gan_config(**settings)


def test_r1_is_refused_beside_batch_norm() -> None:
    values = {"system": "sgad", "data": MNIST, "losses": {"r1": 1.0}}
    with pytest.raises(ConfigError, match=r"losses.r1 does not go with model.discriminator.norm=batch"):
        parse_config(values)
    assert parse_config(values | {"model": {"discriminator": {"norm": "spectral"}}})
