"""A step of discriminator and generator together against plain rewrites of both, recordings too, in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from neurogen.config import GANConfig
from neurogen.models.discriminators import Discriminator
from neurogen.models.gan import Generator
from tests.neurogen.models import plain_gan
from tests.neurogen.models.gans import T, gan_config, made, uniforms
from tests.neurogen.models.plain_gan import PlainDiscriminator, PlainGenerator, PlainLinearDiscriminator

TOLERANCE = 1e-9  # float64, sums of some thousand terms of order 1, rounding at 1e-16
N, PIXELS = 6, 16
STAGES = {"sgan": "spikes", "swgan": "membrane", "sgad": "attention"}
LINEAR = {"kind": "linear", "norm": "none"}
Pairs = list[tuple[nn.Module, nn.Module]]


class Halves(nn.Module):
    """Two linear layers, query and key, where ours has one."""

    def __init__(self, first: nn.Linear, second: nn.Linear) -> None:
        super().__init__()
        self.halves = (first, second)

    def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> None:  # type: ignore[override]
        for name, value in state.items():
            for half, part in zip(self.halves, value.chunk(2), strict=True):
                getattr(half, name).data.copy_(part)


def plain_generator(ours: Generator, config: GANConfig) -> tuple[PlainGenerator, Pairs]:
    """With our weights, and which of its layers are which of ours."""
    channels, scoring = config.data.channels, None
    if config.system == "sgad":
        kind = config.model.scoring
        values = channels * PIXELS**2
        net = kind == "mlp"
        scoring = plain_gan.ScoringNet(values, 8) if net else plain_gan.Attention(values, 8, 32 * (kind == "rgb"))
    event = config.makes_recordings
    plain = PlainGenerator(channels, 4, (6, 4), 12, 5, T, STAGES[config.system], scoring, event).double()
    pairs: Pairs = []
    for a, b in zip([ours.first, ours.second, *ours.stages], [plain.first, plain.second, *plain.maps], strict=True):
        pairs += [(a.layer, b.synapses), (a.norm, b.norm)]
    pairs.append((ours.output.layer, plain.last))
    if isinstance(scoring, plain_gan.ScoringNet):
        pairs += [(ours.output.scoring.project, scoring.hidden), (ours.output.scoring.last, scoring.last)]
    elif scoring is not None:
        first, both = ours.output.scoring.project, Halves(scoring.query, scoring.key)
        pairs += [(first, scoring.reduce), (ours.output.scoring.attend[1], both)] if scoring.reduce else [(first, both)]
    return adopted(plain, pairs), pairs


def plain_discriminator(ours: Discriminator, config: GANConfig) -> tuple[nn.Module, Pairs]:
    channels = config.data.channels
    if config.model.discriminator.kind == "linear":
        plain: Any = PlainLinearDiscriminator(channels * PIXELS**2, 9)
    else:
        plain = PlainDiscriminator(channels, PIXELS, (3, 5), 9)
    pairs: Pairs = []
    for a, b in zip(ours.stages, getattr(plain, "convs", ()), strict=True):
        pairs += [(a.layer, b.synapses), (a.norm, b.norm)]
    pairs += [(ours.hidden.layer, plain.hidden.synapses), (ours.last, plain.last)]
    return adopted(plain.double(), pairs), pairs


def adopted(plain: Any, pairs: Pairs) -> Any:
    """Ours has no bias where batch norm takes it away again."""
    for a, b in pairs:
        state = a.state_dict()
        b.load_state_dict(state if "bias" in state else {**state, "bias": torch.zeros_like(b.bias)})
    return plain


def assert_equal(a: Tensor | None, b: Tensor | None, what: str) -> None:
    assert a is not None and b is not None, what
    torch.testing.assert_close(a, b, atol=TOLERANCE, rtol=TOLERANCE, msg=lambda text: f"{what}: {text}")


def assert_learns_alike(pairs: Pairs) -> None:
    for i, (a, b) in enumerate(pairs):
        assert a.weight.grad is not None and a.weight.grad.abs().max() > 1e-8, f"{i} {a} learns nothing"
        for name, parameter in a.named_parameters():
            halves = b.halves if isinstance(b, Halves) else (b,)
            assert_equal(parameter.grad, torch.cat([getattr(half, name).grad for half in halves]), f"{i} {a} {name}")
        for name, statistic in a.named_buffers():
            assert_equal(statistic, getattr(b, name), f"{i} {a} {name}")


def score(plain: nn.Module, frames: list[Tensor]) -> Tensor:
    """As ours gives it."""
    return torch.logit(plain(frames)) if isinstance(plain, PlainLinearDiscriminator) else plain(frames)


@pytest.mark.parametrize(
    ("system", "judge", "event", "settings"),
    [
        ("sgan", LINEAR, False, {}),
        ("sgan", {}, True, {}),
        ("swgan", {}, False, {"divide": True}),
        ("sgad", {}, False, {"scoring": "grey"}),
        ("sgad", {}, False, {"scoring": "rgb"}),
        ("sgad", {}, False, {"scoring": "mlp"}),
        ("sgad", {}, True, {"scoring": "rgb"}),
    ],
)
def test_a_step_of_both_has_the_plain_gradients_and_statistics(
    system: str, judge: dict[str, Any], event: bool, settings: dict[str, Any]
) -> None:
    config = gan_config(system, judge, event, **settings)
    g, d = made(config)
    (plain_g, layers_of_g), (plain_d, layers_of_d) = plain_generator(g, config), plain_discriminator(d, config)
    latents = g.draw(uniforms(g, N))
    real = torch.rand((N, T, 2, 16, 16) if event else (N, 3, 16, 16), dtype=torch.float64)
    steps = [*real.transpose(0, 1)] if event else [real] * T

    seen, (frames, _) = g.judged(latents), plain_g(latents)
    assert_equal(seen if event or system == "sgan" else seen.expand(T, *seen.shape), torch.stack(frames), "fake")
    (d(d.present(real if event else 2 * real - 1)) - d(seen.detach())).mean().backward()
    (score(plain_d, steps) - score(plain_d, [frame.detach() for frame in frames])).mean().backward()
    assert_learns_alike(layers_of_d)

    d(seen).square().mean().backward()
    score(plain_d, frames).square().mean().backward()
    assert_learns_alike(layers_of_g)
    assert_learns_alike(layers_of_d)


def test_published_sizes_are_the_plain_ones() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in plain_gan.Attention(784).parameters()) == 401_920
