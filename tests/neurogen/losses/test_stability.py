"""What keeps the discriminator from running away: norms that judge each image by itself, spectral norm, R1."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from neurogen.config import LossConfig, StageOneConfig, parse_config
from neurogen.losses import StageOneObjective
from neurogen.losses.adversarial import Norm, PatchDiscriminator, hinge_loss, squared_slope
from neurogen.training.checkpoint import load_newest
from neurogen.training.engine import train_run
from neurogen.training.log import read_metrics
from tests.neurogen.tiny import image_config
from tests.neurogen.training.runs import make_recordings, stage1_config, weights_digest

STABLE = {"adversarial": True, "adversarial_start": 2, "discriminator_layers": 1, "discriminator_width": 8}


@pytest.mark.parametrize(("norm", "alone"), [("batch", False), ("group", True), ("spectral", True)])
def test_group_and_spectral_norm_judge_each_image_by_itself(norm: Norm, alone: bool) -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(1, 8, 2, norm).double()
    judge.train()
    x = torch.rand(4, 1, 16, 16, dtype=torch.float64)
    for _ in range(2000 if norm == "spectral" else 0):
        judge(x)  # the power iteration has come to rest
    assert torch.allclose(judge(x)[:2], judge(x[:2]), rtol=1e-6, atol=1e-9) == alone


def test_spectral_norm_divides_each_convolution_by_its_largest_singular_value() -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(2, 8, 2, "spectral")
    for _ in range(300):
        judge(torch.zeros(1, 2, 16, 16))
    convolutions = [layer for layer in judge.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == 4 and not any(isinstance(layer, nn.BatchNorm2d) for layer in judge.modules())
    for layer in convolutions:
        given = layer.parametrizations.weight.original
        largest = torch.linalg.svdvals(given.flatten(1).double()).max()
        torch.testing.assert_close(layer.weight.double(), given.double() / largest, rtol=2e-3, atol=1e-6)


def test_r1_is_the_squared_slope_at_each_image() -> None:
    kernel = torch.arange(9.0).reshape(1, 1, 3, 3)
    images = torch.rand(5, 1, 3, 3).requires_grad_()
    linear = squared_slope(nn.functional.conv2d(images, kernel), images)
    assert float(linear.detach()) == pytest.approx(204)  # 1 + 4 + ... + 64
    quadratic = images.square().sum((1, 2, 3)).reshape(5, 1, 1, 1)  # slope 2 x
    expected = 4 * images.detach().square().sum() / 5
    torch.testing.assert_close(squared_slope(quadratic, images).detach(), expected)


class Linear(nn.Module):
    """D(x) = w x, whose R1 is |w|^2."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([3.0, -4.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.flatten(1) * self.w).sum(1).reshape(-1, 1, 1, 1)


def test_r1_comes_every_few_batches_and_weighs_so_many_times_as_much() -> None:
    config = LossConfig(adversarial=True, discriminator_norm="group", r1=0.2, r1_every=4)
    objective = StageOneObjective(config, 1)
    objective.discriminator = Linear()
    x, made = torch.full((3, 1, 1, 2), 0.1), torch.zeros(3, 1, 1, 2)
    for step in range(8):
        loss, parts = objective.discriminator_loss(x, made, step)
        assert loss is not None
        hinge = hinge_loss(objective.discriminator(x), objective.discriminator(made))
        assert ("r1" in parts) == (step in (3, 7))
        penalty = 0.2 / 2 * 4 * 25.0 if "r1" in parts else 0.0
        assert float((loss - hinge).detach()) == pytest.approx(penalty, abs=1e-5)
    assert float(parts["r1"].detach()) == pytest.approx(25.0)
    (of_penalty,) = torch.autograd.grad(loss - hinge, objective.discriminator.w)
    assert of_penalty.tolist() == pytest.approx([0.2 * 4 * 3.0, 0.2 * 4 * -4.0], rel=1e-5)
    assert not x.requires_grad


def test_r1_does_not_go_with_batch_norm() -> None:
    values = image_config().model_dump(mode="json")
    values["losses"] |= {"adversarial": True, "r1": 0.1}
    with pytest.raises(ValueError, match=r"losses\.r1 does not go with losses\.discriminator_norm=batch"):
        parse_config(values)


def small(data: Path, **train: object) -> StageOneConfig:
    values = stage1_config(data, **{"schedule": "constant", "warmup": 3} | train).model_dump(mode="json")
    values["losses"] |= STABLE | {"discriminator_norm": "spectral", "r1": 0.1, "r1_every": 2}
    values["codebook"]["revive_every"] = 0
    config = parse_config(values)
    assert isinstance(config, StageOneConfig)
    return config


def test_a_run_with_spectral_norm_and_r1_resumes_bitwise_and_logs_r1(tmp_path: Path) -> None:
    data = make_recordings(tmp_path / "data", per_class=4)
    straight = train_run(small(data), tmp_path / "straight")
    train_run(small(data, steps=5), tmp_path / "cut")
    cut = train_run(small(data), tmp_path / "cut", resume=True)
    assert weights_digest(cut) == weights_digest(straight)
    ends = [load_newest(run) for run in (straight, cut)]
    states = [end["modules"]["discriminator"] for end in ends if end is not None]
    assert any("parametrizations.weight.0._u" in name for name in states[0])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    figures = {int(row["step"]): row for row in read_metrics(straight / "metrics.csv")}
    assert "r1" not in figures[2] and figures[4]["r1"] > 0 and figures[6]["disc_weight"] > 0


def test_the_discriminator_follows_warm_up_and_schedule(tmp_path: Path) -> None:
    data = make_recordings(tmp_path / "data", per_class=4)
    run = train_run(small(data, steps=4, warmup=8), tmp_path / "run")
    state = load_newest(run)
    assert state is not None
    rates = [state["descents"][name]["param_groups"][0]["lr"] for name in ("first_stage", "discriminator")]
    assert rates == [pytest.approx(small(data).train.lr * 4 / 8)] * 2
