"""Generators and discriminators against a plain rewrite, step by step, in float64."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from neurogen.blocks.attention_scoring import AttentionScoring
from neurogen.models.discriminators import Discriminator
from neurogen.models.gan import Generator
from tests.neurogen.models.gans import T, gan_config, made, statistics_of_one_batch, uniforms
from tests.neurogen.models.plain_gan import (
    Attention,
    PlainDiscriminator,
    PlainGenerator,
    PlainLinearDiscriminator,
    Stepped,
    rate,
    ttfs,
)

CLOSE = 1e-10  # float64, sums of some thousand terms of order 1
STAGES = {"sgan": "spikes", "swgan": "membrane", "sgad": "attention"}


def equal(a: Tensor | None, b: Tensor | None, what: str = "") -> None:
    assert a is not None and b is not None, what
    torch.testing.assert_close(a, b, rtol=1e-9, atol=CLOSE, msg=lambda text: f"{what}: {text}")


def plain_attention(ours: AttentionScoring) -> Attention:
    first = ours.project
    reduced = first.out_features if isinstance(ours.attend, nn.Sequential) else 0
    plain = Attention(first.in_features, ours.width, reduced).double()
    pair = ours.attend[1] if reduced else first
    if plain.reduce is not None:
        plain.reduce.load_state_dict(first.state_dict())
    for layer, rows in ((plain.query, slice(ours.width)), (plain.key, slice(ours.width, None))):
        layer.weight.data.copy_(pair.weight.data[rows])
        layer.bias.data.copy_(pair.bias.data[rows])
    return plain


def copied(stage: nn.Module, plain: Stepped) -> None:
    plain.synapses.weight.data.copy_(stage.layer.weight.data)
    if stage.norm is None:
        plain.synapses.bias.data.copy_(stage.layer.bias.data)
    else:
        plain.synapses.bias.data.zero_()  # what a norm takes away again
        plain.norm.load_state_dict(stage.norm.state_dict())


def generator_pairs(ours: Generator, plain: PlainGenerator) -> list[tuple[nn.Module, Stepped]]:
    return [*zip([ours.first, ours.second, *ours.stages], [plain.first, plain.second, *plain.maps], strict=True)]


def plain_generator(ours: Generator, system: str) -> PlainGenerator:
    scoring = plain_attention(ours.output.scoring) if system == "sgad" else None
    plain = PlainGenerator(3, 4, (6, 4), 12, 5, T, STAGES[system], scoring).double()
    for stage, twin in generator_pairs(ours, plain):
        copied(stage, twin)
    plain.last.load_state_dict(ours.output.layer.state_dict())
    return plain


@pytest.mark.parametrize(
    ("system", "settings"),
    [("sgan", {}), ("swgan", {"divide": True}), ("sgad", {"scoring": "grey"}), ("sgad", {"scoring": "rgb"})],
)
@pytest.mark.parametrize("training", [True, False])
def test_generators(system: str, settings: dict[str, Any], training: bool) -> None:
    ours, _ = made(gan_config(system, **settings))
    latents = ours.draw(uniforms(ours, 6))
    plain = plain_generator(ours, system).train(training)
    ours.train(training)
    frames, image = plain(latents)
    equal(copy.deepcopy(ours).decode(latents), 2 * image - 1, "image")
    seen = ours.judged(latents)
    equal(seen, torch.stack(frames) if system == "sgan" else frames[-1], "seen")
    assert image.std() > 0.01
    weights = torch.randn(seen.shape, dtype=torch.float64)
    (seen * weights).sum().backward()
    ((torch.stack(frames) if system == "sgan" else frames[-1]) * weights).sum().backward()
    equal(ours.output.layer.weight.grad, plain.last.weight.grad)
    for i, (stage, twin) in enumerate(generator_pairs(ours, plain)):
        equal(stage.layer.weight.grad, twin.synapses.weight.grad, f"{i} weight")
        for name in ("weight", "bias"):
            equal(getattr(stage.norm, name).grad, getattr(twin.norm, name).grad, f"{i} norm {name}")
        for name, value in twin.norm.state_dict().items():
            equal(stage.norm.state_dict()[name].double(), value.double(), f"{i} {name}")
    if system == "sgad" and settings["scoring"] == "grey":
        rows = ours.output.scoring.project.weight.grad
        equal(rows, torch.cat((plain.scoring.query.weight.grad, plain.scoring.key.weight.grad)))


@pytest.mark.parametrize("coding", ["rate", "ttfs"])
def test_generators_of_coded_latents(coding: str) -> None:
    ours, _ = made(gan_config("swgan", divide=True, coding=coding))
    draws = uniforms(ours, 6)
    values = draws[:, :5]
    chances = draws[:, 5:].view(6, -1, 5).transpose(0, 1)
    steps = rate(values, chances) if coding == "rate" else ttfs(values, T)
    plain = plain_generator(ours, "swgan")
    equal(ours.decode(ours.draw(draws)), 2 * plain.run(steps)[1] - 1)


def discriminator_pairs(ours: Discriminator, plain: PlainDiscriminator) -> list[tuple[nn.Module, Stepped]]:
    return [*zip([*ours.stages, ours.hidden], [*plain.convs, plain.hidden], strict=True)]


@pytest.mark.parametrize("kind", ["image", "frames"])
@pytest.mark.parametrize("training", [True, False])
def test_discriminators(kind: str, training: bool) -> None:
    _, ours = made(gan_config())
    torch.manual_seed(2)
    x = torch.rand(6, 3, 16, 16, dtype=torch.float64) if kind == "image" else torch.rand(T, 6, 3, 16, 16).double()
    with torch.no_grad(), statistics_of_one_batch(ours):
        ours(x)
    plain = PlainDiscriminator(3, 16, (3, 5), 9).double().train(training)
    for stage, twin in discriminator_pairs(ours, plain):
        copied(stage, twin)
    plain.last.load_state_dict(ours.last.state_dict())
    ours.train(training)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    scores, expected = ours(a), plain([b] * T if kind == "image" else [*b])
    equal(scores, expected)
    assert scores.std() > 0.005
    scores.square().sum().backward()
    expected.square().sum().backward()
    equal(a.grad, b.grad, "slope")
    equal(ours.last.bias.grad, plain.last.bias.grad)
    for i, (stage, twin) in enumerate(discriminator_pairs(ours, plain)):
        equal(stage.layer.weight.grad, twin.synapses.weight.grad, f"{i} weight")
        if stage.norm is not None:
            for name, value in twin.norm.state_dict().items():
                equal(stage.norm.state_dict()[name].double(), value.double(), f"{i} {name}")


@pytest.mark.parametrize("kind", ["image", "frames"])
def test_the_linear_discriminator_of_sgan(kind: str) -> None:
    _, ours = made(gan_config("sgan", {"kind": "linear", "norm": "none"}))
    x = torch.rand(*(() if kind == "image" else (T,)), 6, 3, 16, 16, dtype=torch.float64)
    plain = PlainLinearDiscriminator(768, 9).double()
    copied(ours.hidden, plain.hidden)
    plain.last.load_state_dict(ours.last.state_dict())
    equal(torch.sigmoid(ours(x)), plain([x] * T if kind == "image" else [*x]))
