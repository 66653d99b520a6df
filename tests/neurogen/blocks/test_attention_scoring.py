"""Scoring by coefficients against the recurrence on images as it is written, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from neurogen.blocks.attention_scoring import AttentionScoring, Scoring, ScoringNet, StepWeights, make_scoring

T, N, SHAPE, WIDTH = 5, 3, (2, 4, 3), 6
VALUES = math.prod(SHAPE)
CLOSE = 1e-12  # float64, sums of some hundred terms of order 1
Weigh = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def frames() -> Tensor:
    return torch.rand(T, N, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def scoring(kind: str) -> Scoring:
    torch.manual_seed(0)
    made = make_scoring(kind, VALUES, WIDTH, T).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=1.0)  # attention that is far from even
    return made


def slow(x: Tensor, weigh: Weigh) -> list[Tensor]:
    """v_1 to v_T, flat."""
    memory, steps = x[0].flatten(1), [x[0].flatten(1)]
    for frame in x[1:]:
        of_memory, of_frame = weigh(memory, frame.flatten(1))
        memory = of_memory[:, None] * memory + of_frame[:, None] * frame.flatten(1)
        steps.append(memory)
    return steps


def attention(made: AttentionScoring) -> Weigh:
    def weigh(memory: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
        layer = made.project
        if isinstance(made.attend, nn.Sequential):
            memory, frame = (torch.relu(made.project(x)) for x in (memory, frame))
            layer = made.attend[1]
        query, keys = layer.weight[:WIDTH], layer.weight[WIDTH:]
        of_query, of_keys = layer.bias[:WIDTH], layer.bias[WIDTH:]
        q = memory @ query.T + of_query
        scores = [(q * (x @ keys.T + of_keys)).sum(1) / WIDTH**0.5 for x in (memory, frame)]
        shares = torch.softmax(torch.stack(scores), 0)
        return shares[0], shares[1]

    return weigh


def net(made: ScoringNet) -> Weigh:
    def weigh(memory: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
        a, b = (torch.sigmoid(made.last(torch.sigmoid(made.project(x))))[:, 0] for x in (memory, frame))
        return a / (a + b), b / (a + b)

    return weigh


@pytest.mark.parametrize(("kind", "written"), [("grey", attention), ("rgb", attention), ("mlp", net)])
def test_memories_and_gradients_are_those_of_the_recurrence(kind: str, written: Callable[[Scoring], Weigh]) -> None:
    made = scoring(kind)
    a, b = frames().requires_grad_(), frames().requires_grad_()
    expected = torch.stack(slow(b, written(made))).view(T, N, *SHAPE)
    memories = made.memories(a)
    torch.testing.assert_close(memories, expected, rtol=0, atol=CLOSE)
    torch.testing.assert_close(made(a), expected[-1], rtol=0, atol=CLOSE)
    shares = torch.stack(made.shares(a))
    assert shares.min() < 0.3 and shares.max() > 0.6
    wants = [*made.parameters()]
    of_ours = torch.autograd.grad(made(a).square().sum(), [a, *wants])
    of_theirs = torch.autograd.grad(expected[-1].square().sum(), [b, *wants])
    for ours, theirs in zip(of_ours, of_theirs, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=CLOSE)


def test_learned_weights_of_steps_are_a_softmax_mean_of_the_frames_so_far() -> None:
    made, x = scoring("weights"), frames()
    assert isinstance(made, StepWeights)
    weights = made.weight.exp()
    torch.testing.assert_close(made(x), torch.einsum("t,tnchw->nchw", torch.softmax(made.weight, 0), x))
    second = (weights[0] * x[0] + weights[1] * x[1]) / (weights[0] + weights[1])
    torch.testing.assert_close(made.memories(x)[1], second)


def test_fresh_weights_of_steps_are_a_plain_mean() -> None:
    x = frames()
    torch.testing.assert_close(make_scoring("weights", VALUES, WIDTH, T).double()(x), x.mean(0))


def test_published_grey_attention_has_its_parameters() -> None:
    made = make_scoring("grey", 784, 256, 16)
    assert sum(parameter.numel() for parameter in made.parameters()) == 401_920
    assert len({*made.state_dict()}) == 2


def test_rgb_scores_by_a_shared_layer_of_1024() -> None:
    made = make_scoring("rgb", 12288, 256, 16)
    assert made.state_dict()["project.weight"].shape == (1024, 12288)
    assert made.state_dict()["attend.1.weight"].shape == (512, 1024)
