"""What a discriminator and a generator learn from, against values by hand and torch's own losses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from neurogen.losses.adversarial import squared_slope
from neurogen.losses.gan import Kind, fake_loss, generator_loss, real_loss, spread_loss

REAL, FAKE = torch.tensor([0.5, 2.0, -1.0]), torch.tensor([-3.0, 0.0, 0.4])


def discriminator_loss(kind: Kind, real: Tensor, fake: Tensor) -> Tensor:
    return real_loss(kind, real) + fake_loss(kind, fake)


def test_wasserstein_has_the_sign_of_the_release() -> None:
    assert discriminator_loss("wasserstein", REAL, FAKE).item() == pytest.approx(0.5 - (-2.6 / 3))
    assert generator_loss("wasserstein", FAKE).item() == pytest.approx(-2.6 / 3)


def test_cross_entropy_is_summed_over_the_batch_and_halved_over_both_kinds() -> None:
    ones, zeros = torch.ones(3), torch.zeros(3)
    expected = F.binary_cross_entropy(REAL.sigmoid(), ones, reduction="sum")
    expected = (expected + F.binary_cross_entropy(FAKE.sigmoid(), zeros, reduction="sum")) / 2
    torch.testing.assert_close(discriminator_loss("bce", REAL, FAKE), expected)
    expected = F.binary_cross_entropy(FAKE.sigmoid(), ones, reduction="sum")
    torch.testing.assert_close(generator_loss("bce", FAKE), expected)


def test_cross_entropy_of_a_sure_discriminator_still_teaches_the_generator() -> None:
    score = torch.tensor([-200.0], requires_grad=True)  # sigmoid is 0 in float32
    generator_loss("bce", score).backward()
    assert score.grad is not None and score.grad.item() == -1.0


def test_hinge_forgets_what_is_beyond_its_margins() -> None:
    # by hand: relu(1 - real) = 0.5, 0, 2; relu(1 + fake) = 0, 1, 1.4
    assert discriminator_loss("hinge", REAL, FAKE).item() == pytest.approx((2.5 + 2.4) / 3 / 2)
    assert generator_loss("hinge", FAKE).item() == pytest.approx(2.6 / 3)


@pytest.mark.parametrize("kind", ["bce", "hinge"])
def test_a_better_discriminator_and_a_better_generator_pay_less(kind: str) -> None:
    better = discriminator_loss(kind, REAL + 1, FAKE - 1)  # type: ignore[arg-type]
    assert better < discriminator_loss(kind, REAL, FAKE)  # type: ignore[arg-type]
    assert generator_loss(kind, FAKE + 1) < generator_loss(kind, FAKE)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(3, 2, 4, 4), (5, 3, 2, 4, 4)])
def test_the_slope_is_that_of_each_item(shape: tuple[int, ...]) -> None:
    # D(x_n) = a sum of squares of item n: its slope is 2 a x_n
    x = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    a = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    items = x if len(shape) == 4 else x.transpose(0, 1)

    def scores(items: Tensor) -> Tensor:
        return a * items.square().flatten(1).sum(1)

    slope = squared_slope(scores(items), x)
    expected = 4 * 0.09 * x.square().sum() / 3
    torch.testing.assert_close(slope, expected)
    slope.backward()
    assert a.grad is not None and math.isclose(a.grad.item(), 2 * slope.item() / 0.3, rel_tol=1e-9)


def test_spread_is_what_distances_within_labels_lack() -> None:
    # items of label 0 are 3 apart where real ones are 4, those of label 1 are 1 apart where real ones are 4
    fake = torch.tensor([0.0, 3.0, 10.0, 11.0]).view(4, 1, 1, 1)
    real = torch.tensor([0.0, 4.0, 10.0, 14.0]).view(4, 1, 1, 1)
    labels = torch.tensor([0, 0, 1, 1])
    assert spread_loss(fake, real, labels).item() == pytest.approx(1 - (3 + 1) / (4 + 4))
    assert spread_loss(real * 2, real, labels).item() == 0.0
    assert spread_loss(fake, real, torch.arange(4)).item() == 0.0


def test_without_labels_all_items_are_pairs() -> None:
    fake, real = torch.rand(5, 1, 2, 2, dtype=torch.float64), torch.rand(5, 1, 2, 2, dtype=torch.float64) * 3
    expected = 1 - torch.pdist(fake.flatten(1)).mean() / torch.pdist(real.flatten(1)).mean()
    torch.testing.assert_close(spread_loss(fake, real, None), expected)
    frames = fake.expand(3, *fake.shape)
    torch.testing.assert_close(spread_loss(frames, real.expand(3, *real.shape), None), expected)


def test_spread_pushes_items_of_a_label_apart() -> None:
    fake = torch.tensor([0.0, 0.1]).view(2, 1, 1, 1).requires_grad_()
    spread_loss(fake, torch.tensor([0.0, 1.0]).view(2, 1, 1, 1), None).backward()
    assert fake.grad.flatten().tolist() == [1.0, -1.0]
