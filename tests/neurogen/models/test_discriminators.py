"""Discriminators of the spiking GANs: forms, labels, norms, gradients, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from neurogen.models.discriminators import make_discriminator
from neurogen.rates import watched_rates
from tests.neurogen.models.gans import N, T, gan_config, made
from tests.neurogen.models.test_gan import CELEBA, MNIST, full_config

CLOSE = 1e-10  # float64, sums of some hundred terms of order 1
LINEAR = {"kind": "linear", "norm": "none", "hidden": 400}


def images(n: int = N, channels: int = 3) -> Tensor:
    return torch.rand(n, channels, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(
    ("data", "model", "parameters"),
    # by hand: convolutions without bias and two numbers a channel of norms; linear layers with bias
    [
        (MNIST, {}, 25 * 32 + 64 + 25 * 2048 + 128 + 1024 * 1025 + 1025),
        (MNIST, {"discriminator": LINEAR}, 784 * 400 + 400 + 401),
        (
            CELEBA,
            {"start": 8, "widths": [128, 64, 32], "discriminator": {"hidden": 2048}},
            75 * 32 + 64 + 25 * 2048 + 128 + 10816 * 2048 + 2048 + 2049,
        ),
    ],
)
def test_published_discriminators_have_their_parameters(
    data: dict[str, Any], model: dict[str, Any], parameters: int
) -> None:
    with torch.device("meta"):
        judge = make_discriminator(full_config("swgan", data, **model))
    assert sum(parameter.numel() for parameter in judge.parameters()) == parameters


def test_frames_that_are_all_the_same_are_scored_as_the_image() -> None:
    for settings in ({}, {"neurons": "ann"}, {"kind": "linear", "norm": "none"}):
        _, judge = made(gan_config(judge=settings))
        scores = judge(images())
        torch.testing.assert_close(judge(images().expand(T, N, 3, 16, 16)), scores, rtol=0, atol=CLOSE)
        assert scores.shape == (N,)


def test_recordings_are_judged_step_by_step() -> None:
    _, judge = made(gan_config(event=True))
    judge.eval()
    values = torch.rand(N, T, 2, 16, 16, dtype=torch.float64)
    seen = judge.present(values)
    assert torch.equal(seen, values.transpose(0, 1))
    late = seen.clone()
    late[-1] = 0.0
    assert not torch.allclose(judge(late), judge(seen))
    for i in range(N):  # items are what stands second, steps what stands first
        torch.testing.assert_close(judge(seen[:, i : i + 1]), judge(seen)[i : i + 1], rtol=0, atol=CLOSE)


def test_the_hybrid_baseline_sees_frames_as_channels() -> None:
    _, judge = made(gan_config(event=True, judge={"neurons": "ann"}))
    assert judge.stages[0].layer.in_channels == 2 * T
    seen = torch.rand(T, N, 2, 16, 16, dtype=torch.float64)
    assert not torch.allclose(judge(seen.flip(0)), judge(seen))


def test_the_hybrid_baseline_is_an_ordinary_network_of_one_step() -> None:
    _, judge = made(gan_config(judge={"neurons": "ann"}))
    x = images()
    expected = x
    for stage in judge.stages:
        y = torch.nn.functional.conv2d(expected, stage.layer.weight)
        y = torch.nn.functional.batch_norm(y, None, None, stage.norm.weight, stage.norm.bias, training=True)
        expected = torch.nn.functional.avg_pool2d(torch.nn.functional.leaky_relu(y, 0.2), 2)
    hidden = torch.nn.functional.leaky_relu(judge.hidden.layer(expected.flatten(1)), 0.2)
    torch.testing.assert_close(judge(x), judge.last(hidden)[:, 0], rtol=0, atol=CLOSE)


@pytest.mark.parametrize("neurons", ["spiking", "ann"])
def test_a_label_adds_its_product_with_the_last_layers_input(neurons: str) -> None:
    _, judge = made(gan_config(classes=3, judge={"neurons": neurons}))
    judge.eval()
    labels = torch.tensor([0, 2, 1])
    scores = judge(images(), labels)
    with torch.no_grad():  # a label's vector stands beside the weights of the last layer
        for i, label in enumerate(labels.tolist()):
            vector = judge.label.weight[label].clone()
            judge.label.weight[label] = 0.0
            judge.last.weight += vector
            torch.testing.assert_close(judge(images(), labels)[i], scores[i], rtol=0, atol=CLOSE)
            judge.last.weight -= vector
            judge.label.weight[label] = vector


@pytest.mark.parametrize("norm", ["spectral", "none"])
def test_without_batch_norm_each_item_is_judged_by_itself(norm: str) -> None:
    _, judge = made(gan_config(judge={"norm": norm}))
    judge.eval()
    x = images(4).requires_grad_()
    (slope,) = torch.autograd.grad(judge(x)[0], x)
    assert slope[0].abs().max() > 0
    assert not slope[1:].any()


def test_spectral_norm_bounds_every_layer() -> None:
    torch.manual_seed(0)
    judge = make_discriminator(gan_config(judge={"norm": "spectral"}, classes=3)).double()
    layers = [stage.layer for stage in (*judge.stages, judge.hidden)] + [judge.last, judge.label]
    for layer in layers:
        for _ in range(60):
            layer.weight  # noqa: B018  a power iteration each
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("norm", ["spectral", "none", "batch"])
def test_neurons_of_a_fresh_discriminators_stages_fire(norm: str) -> None:
    torch.manual_seed(0)
    judge = make_discriminator(gan_config(judge={"norm": norm, "widths": [8, 16], "hidden": 32}))
    with watched_rates(judge) as rates:
        judge(images().float())
    assert all(rates[f"stages.{i}.neuron"] > 0.01 for i in range(2))


def test_slopes_can_be_differentiated_for_r1() -> None:
    _, judge = made(gan_config(judge={"norm": "spectral"}))
    x = images().requires_grad_()
    (slope,) = torch.autograd.grad(judge(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert judge.stages[0].layer.parametrizations.weight.original.grad.abs().max() > 0


@pytest.mark.parametrize("system", ["sgan", "swgan", "sgad"])
def test_items_and_scores_are_in_float32_where_layers_run_in_sixteen_bits(system: str) -> None:
    generator, judge = (network.float() for network in made(gan_config(system)))
    latents = generator.draw(torch.rand(N, generator.draws, dtype=torch.float64))
    expected = generator.judged(latents)
    with torch.autocast("cpu", torch.bfloat16):
        seen = generator.judged(latents)
        scores = judge(seen)
    assert seen.dtype == scores.dtype == torch.float32
    assert (seen - expected).abs().mean() < 0.1
    scores.sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in judge.parameters())


@pytest.mark.parametrize("coding", ["rate", "ttfs"])
def test_images_are_coded_and_teach_the_generator(coding: str) -> None:
    generator, judge = made(gan_config("sgad", coding=coding))
    torch.manual_seed(0)
    real = judge.present(images() * 2 - 1)
    seen = generator.judged(generator.draw(torch.rand(N, generator.draws, dtype=torch.float64)))
    assert real.shape == seen.shape == (T, N, 3, 16, 16)
    values = {0.0, 1.0} if coding == "rate" else {0.0, 1.0, 0.5, 1 / 3, 0.25}
    for x in (real, seen):
        assert {*x.unique().tolist()} <= values
        assert len(x.unique()) > 1
    judge(seen).sum().backward()
    assert generator.first.layer.weight.grad.abs().max() > 0


def test_an_image_is_seen_in_zero_to_one() -> None:
    _, judge = made(gan_config())
    torch.testing.assert_close(judge.present(images() * 2 - 1), images())


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((N, 1, 16, 16), r"expected images \(N, 3, 16, 16\) or frames \(4, N, 3, 16, 16\), got \(3, 1, 16, 16\)"),
        ((N, T, 3, 16, 16), r"got \(3, 4, 3, 16, 16\); give items of the model's size"),
        ((N, 3, 8, 8), r"got \(3, 3, 8, 8\)"),
        ((N, 768), r"got \(3, 768\)"),
    ],
)
def test_another_shape_is_answered_with_the_right_one(shape: tuple[int, ...], expected: str) -> None:
    _, judge = made(gan_config())
    with pytest.raises(ValueError, match=expected):
        judge(torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_judged(value: float) -> None:
    _, judge = made(gan_config())
    x = images()
    x[1, 0, 3, 4] = value
    with pytest.raises(ValueError, match="expected finite items to judge, got NaN or infinity"):
        judge(x)


def test_labels_that_are_missing_are_asked_for() -> None:
    _, judge = made(gan_config(classes=3))
    with pytest.raises(ValueError, match="expected labels below 3 for each of the items, got none"):
        judge(images())
