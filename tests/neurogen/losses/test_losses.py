"""Reconstruction, adversarial and perceptual losses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from neurogen.config import LossConfig
from neurogen.losses import StageOneObjective
from neurogen.losses.adversarial import PatchDiscriminator, adaptive_weight, hinge_loss
from neurogen.losses.reconstruction import normalised_loss, reconstruction_loss
from tests.data import data_path


def test_l1_and_l2_are_what_they_say() -> None:
    x, y = torch.tensor([0.0, 1.0]), torch.tensor([2.0, 1.5])
    assert reconstruction_loss("l1", x, y).tolist() == [2.0, 0.5]
    assert reconstruction_loss("l2", x, y).tolist() == [4.0, 0.25]


def test_poisson_equals_the_distributions_likelihood_up_to_a_constant_of_the_counts() -> None:
    x = torch.tensor([0.0, 1.0, 3.0, 7.0])
    rates = torch.tensor([0.5, 2.0, 2.5, 6.0])
    expected = -torch.distributions.Poisson(rates).log_prob(x) - torch.lgamma(x + 1)
    assert torch.allclose(reconstruction_loss("poisson", x, rates), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["l1", "l2", "poisson"])
def test_a_normalised_loss_is_one_at_the_best_constant_and_least_at_the_truth(kind: str) -> None:
    x = torch.poisson(torch.full((1000,), 2.0), generator=torch.Generator().manual_seed(0))
    best = (x.median() if kind == "l1" else x.mean()).expand_as(x)
    assert float(normalised_loss(kind, x, best, normalise=True)) == pytest.approx(1.0, abs=1e-4)
    assert float(normalised_loss(kind, x, x, normalise=True)) == pytest.approx(0.0, abs=1e-4)


def test_the_hinge_is_half_of_both_margins() -> None:
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([-3.0, 1.0])
    assert float(hinge_loss(real, fake)) == 0.5 * (0.5 + 1.0)  # means of relu(-1, 1) and relu(-2, 2)


def test_the_adaptive_weight_balances_gradients() -> None:
    w = torch.tensor([3.0], requires_grad=True)
    weight = adaptive_weight(6 * w.sum(), 2 * w.sum(), w, 0.8)
    assert float(weight) == pytest.approx(0.8 * 6 / (2 + 1e-4))
    assert not weight.requires_grad


@pytest.mark.parametrize(("size", "side"), [(32, 2), (64, 6), (256, 30)])
def test_the_discriminator_has_the_published_map(size: int, side: int) -> None:
    with torch.device("meta"):
        assert PatchDiscriminator(3)(torch.empty(2, 3, size, size)).shape == (2, 1, side, side)


def test_the_discriminator_has_the_published_layers() -> None:
    discriminator = PatchDiscriminator(2)
    convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert [(m.out_channels, m.stride[0], m.bias is not None) for m in convolutions] == [
        (64, 2, True),
        (128, 2, False),
        (256, 2, False),
        (512, 1, False),
        (1, 1, True),
    ]
    assert float(convolutions[3].weight.std()) == pytest.approx(0.02, rel=0.05)


def test_an_image_too_small_for_the_discriminator_is_answered() -> None:
    with pytest.raises(ValueError, match="at least 24 pixels for 3 discriminator layers"):
        PatchDiscriminator(1)(torch.zeros(1, 1, 16, 16))


class Counting(nn.Module):
    """A discriminator that counts what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []
        self.body = nn.Sequential(nn.Conv2d(2, 1, 3), nn.BatchNorm2d(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(tuple(x.shape))
        return self.body(x)


def objective(start: int) -> tuple[StageOneObjective, Counting]:
    made = StageOneObjective(LossConfig(adversarial=True, adversarial_start=start, discriminator_width=4), 2)
    made.discriminator = Counting()
    return made, made.discriminator


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    last = torch.ones(1, requires_grad=True)
    x = torch.rand(3, 4, 2, 8, 8)
    return x, torch.rand(3, 4, 2, 8, 8) * last, last


def test_b9_the_discriminator_starts_by_batches_and_costs_nothing_before() -> None:
    made, discriminator = objective(start=2)
    x, values, last = batch()
    for step in range(3):
        _, parts = made.autoencoder_loss(x, values, torch.zeros(()), last, step)
        loss, more = made.discriminator_loss(x, values, step)
        assert ("gen" in parts) == (loss is not None) == bool(more) == (step >= 2)
        assert bool(discriminator.seen) == (step >= 2)


def test_b13_recordings_are_judged_in_one_pass_over_all_steps() -> None:
    made, discriminator = objective(start=0)
    x, values, last = batch()
    made.autoencoder_loss(x, values, torch.zeros(()), last, 0)
    made.discriminator_loss(x, values, 0)
    assert discriminator.seen == [(12, 2, 8, 8), (24, 2, 8, 8)]


def test_the_total_is_its_parts() -> None:
    made, _ = objective(start=0)
    x, values, last = batch()
    total, parts = made.autoencoder_loss(x, values, torch.tensor(0.3), last, 0)
    assert float(total) == pytest.approx(float(parts["nll"] + 0.3 + parts["disc_weight"] * parts["gen"]), rel=1e-6)


def test_the_generators_step_leaves_the_discriminators_gradients_alone() -> None:
    made, discriminator = objective(start=0)
    x, values, last = batch()
    made.autoencoder_loss(x, values, torch.zeros(()), last, 0)[0].backward()
    assert all(p.grad is None for p in discriminator.parameters())
    assert all(p.requires_grad for p in discriminator.parameters())


def test_the_discriminators_step_leaves_the_generators_gradients_alone() -> None:
    made, _ = objective(start=0)
    x, values, last = batch()
    loss, _ = made.discriminator_loss(x, values, 0)
    assert loss is not None
    loss.backward()
    assert last.grad is None


def test_b7_nothing_is_built_when_it_is_off() -> None:
    made = StageOneObjective(LossConfig(), 1)
    assert made.discriminator is None
    assert made.perceptual is None
    assert not list(made.parameters())


@pytest.mark.parametrize("path", [None, "nowhere/vgg16.pth"])
def test_missing_perceptual_weights_name_the_path_and_the_way_out(path: str | None) -> None:
    with pytest.raises(ValueError, match=r"losses\.vgg_path, found .*; set the path or losses\.perceptual=off"):
        StageOneObjective(LossConfig(perceptual="lpips", vgg_path=path), 3)


def test_lpips_equals_an_independent_computation(tmp_path: Path) -> None:
    from torchvision.models import vgg16

    heads_path = data_path("metric-weights/lpips-heads/v0.1/vgg.pth")
    torch.manual_seed(0)
    network = vgg16(weights=None)
    torch.save(network.state_dict(), tmp_path / "vgg.pth")
    config = LossConfig(perceptual="lpips", vgg_path=str(tmp_path / "vgg.pth"), lpips_path=str(heads_path))
    perceptual = StageOneObjective(config, 3).perceptual
    x, y = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1

    heads = torch.load(heads_path, weights_only=True)
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    distance = torch.zeros(2)
    for i, layers in enumerate((4, 9, 16, 23, 30)):
        cut = network.features[:layers].eval()
        a, b = (cut((image - shift[:, None, None]) / scale[:, None, None]) for image in (x, y))
        a, b = (f / (f.norm(dim=1, keepdim=True) + 1e-10) for f in (a, b))
        distance += ((a - b) ** 2 * heads[f"lin{i}.model.1.weight"]).sum(1).mean((1, 2))
    assert perceptual is not None
    assert torch.allclose(perceptual(x, y), distance.detach(), rtol=1e-4)
    assert float(perceptual(x, x).abs().max()) == 0.0
    perceptual.train()
    assert not perceptual.training
    assert math.isfinite(float(distance.sum()))
