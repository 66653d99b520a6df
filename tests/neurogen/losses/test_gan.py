"""What a discriminator and a generator learn from, against values by hand and torch's own losses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from neurogen.losses.adversarial import squared_slope
from neurogen.losses.gan import discriminator_loss, generator_loss

REAL, FAKE = torch.tensor([0.5, 2.0, -1.0]), torch.tensor([-3.0, 0.0, 0.4])


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
