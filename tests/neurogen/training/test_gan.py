"""How a spiking GAN learns, what it leaves, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from neurogen.losses.gan import fake_loss, generator_loss, real_loss
from neurogen.model import load
from neurogen.models.discriminators import make_discriminator
from neurogen.models.gan import Generator
from neurogen.training import train_run
from neurogen.training.engine import one_step
from neurogen.training.gan import GANSystem, held
from neurogen.training.log import read_metrics
from tests.neurogen.data.image_sets import mnist
from tests.neurogen.training.gans import SPECTRAL, gan, prepared
from tests.neurogen.training.runs import make_recordings, weights_digest


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """No classifier looks at samples, which takes as long as all else."""
    monkeypatch.setattr("neurogen.training.gan.judge_of", lambda name: None)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mnist(tmp_path_factory.mktemp("images"), 40)


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """As if the process were killed at the end of that step, after its checkpoint."""
    step = GANSystem.step

    def dying(self: GANSystem, index: torch.Tensor, number: int, log: bool) -> dict[str, float]:
        if number == steps:
            raise KeyboardInterrupt
        return step(self, index, number, log)

    monkeypatch.setattr(GANSystem, "step", dying)


@pytest.mark.parametrize("kind", ["wasserstein", "bce", "hinge"])
def test_a_step_is_that_of_a_plain_loop_with_two_forwards(kind: str, images: Path, tmp_path: Path) -> None:
    """The release's order: generate, judge, step; generate again of the same latents, judge, step."""
    config = gan(images, losses={"kind": kind, "discriminator_lr": 4e-3}, train={"optimiser": "rmsprop"})
    system = prepared(config, tmp_path)
    torch.manual_seed(0)
    generator, judge = Generator(config), make_discriminator(config)
    optimisers = [torch.optim.RMSprop(module.parameters(), lr) for module, lr in ((generator, 1e-3), (judge, 4e-3))]
    for step in range(2):
        index = torch.arange(8) + 8 * step
        for descent in system.descents.values():
            descent.set_rate(step)
        torch.manual_seed(step)
        system.step(index, step, False)

        torch.manual_seed(step)
        latents = generator.draw(torch.rand(8, generator.draws, dtype=torch.float64))
        x = judge.present(system.run_items.train.batch(index.numpy()))
        scores = judge(x), judge(generator.judged(latents).detach())
        optimisers[1].zero_grad()
        (real_loss(kind, scores[0]) + fake_loss(kind, scores[1])).backward()  # type: ignore[arg-type]
        optimisers[1].step()
        optimisers[0].zero_grad()
        generator_loss(kind, judge(generator.judged(latents))).backward()  # type: ignore[arg-type]
        optimisers[0].step()
    for module, plain in ((system.main, generator), (system.discriminator, judge)):
        for (name, ours), theirs in zip(module.named_parameters(), plain.parameters(), strict=True):
            assert torch.equal(ours, theirs), name


def test_real_and_generated_items_leave_nothing_behind(images: Path, tmp_path: Path) -> None:
    system = prepared(gan(images), tmp_path)
    system.main.eval()
    judge = system.discriminator.eval()
    for name, parameter in judge.named_parameters():  # untrained, none fires
        if name.endswith("norm.bias") or name == "hidden.layer.weight":
            nn.init.constant_(parameter, 1.5)
    real = judge.present(system.run_items.train.batch(np.arange(8)))
    with torch.no_grad():
        fake = system._made(8, None)
        first = judge(real)
        assert not torch.equal(judge(fake), first)
        assert torch.equal(judge(real), first)


@pytest.mark.usefixtures("unjudged")
@pytest.mark.parametrize("system", ["sgan", "swgan", "sgad"])
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(
    system: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = gan(
        images,
        system,
        SPECTRAL,
        model={"classes": 10, "discriminator": SPECTRAL},
        losses={"kind": "hinge", "r1": 1.0, "r1_every": 2, "n_critic": 2},
        train={"average": 0.8, "log_every": 4},
    )
    whole = train_run(config, tmp_path / "whole")
    stop_after(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        train_run(config, tmp_path / "cut")
    monkeypatch.undo()
    train_run(config, tmp_path / "cut", resume=True)
    assert weights_digest(tmp_path / "cut") == weights_digest(whole)
    ends = [
        torch.load(run / "checkpoints" / "step_00000004.pt", weights_only=True) for run in (whole, tmp_path / "cut")
    ]
    for part in ("generator", "discriminator"):
        first, second = (end["modules"][part] for end in ends)
        assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.usefixtures("unjudged")
def test_looking_on_the_way_changes_nothing(images: Path, tmp_path: Path) -> None:
    plain = train_run(gan(images, train={"steps": 2}), tmp_path / "plain")
    watched = train_run(gan(images, train={"steps": 2, "validate_every": 1, "picture_every": 1}), tmp_path / "watched")
    assert weights_digest(watched) == weights_digest(plain)


def test_a_run_leaves_figures_pictures_and_a_generator(images: Path, tmp_path: Path) -> None:
    run = train_run(gan(images, train={"steps": 2}), tmp_path / "run")
    *rows, last = read_metrics(run / "metrics.csv")
    for row in rows:
        assert row["total"] == pytest.approx(row["generator"] + row["discriminator"], abs=1e-5)
        # wasserstein: by hand of the columns beside it
        assert row["discriminator"] == pytest.approx(row["logits_real"] - row["logits_fake"], abs=1e-5)
        assert {"rate/first.neuron", "rate/discriminator.stages.0.neuron", "rate/discriminator.hidden.neuron"} <= set(
            row
        )
    assert set(last) == {"step", "pairwise", "class_entropy", "collapsed"}
    assert [path.name for path in (run / "pictures").glob("*")] == ["samples_00000002.png"]
    card = (run / "model" / "README.md").read_text(encoding="utf-8")
    assert f"- distance between samples over real: {round(last['pairwise'], 3)}\n" in card
    assert load(run).sample(3).images.shape == (3, 1, 16, 16)  # type: ignore[union-attr]


def test_the_generator_learns_at_every_nth_step_of_the_discriminator(images: Path, tmp_path: Path) -> None:
    system = prepared(gan(images, losses={"n_critic": 3}), tmp_path)
    moved = []
    for step in range(6):
        before = {name: module.state_dict() for name, module in system.modules.items()}
        before = {name: {k: v.clone() for k, v in state.items()} for name, state in before.items()}
        figures = one_step(system, step, True)
        changed = {
            name: any(not torch.equal(p, before[name][key]) for key, p in module.named_parameters())
            for name, module in system.modules.items()
        }
        assert changed["discriminator"]
        assert changed["generator"] == system.descents["generator"].moved == ("generator" in figures)
        moved.append(changed["generator"])
    assert moved == [False, False, True, False, False, True]


def test_the_slope_is_penalised_as_often_as_asked(images: Path, tmp_path: Path) -> None:
    config = gan(images, judge=SPECTRAL, losses={"kind": "hinge", "r1": 10.0, "r1_every": 2})
    system = prepared(config, tmp_path)
    seen = [one_step(system, step, True) for step in range(4)]
    assert ["r1" in figures for figures in seen] == [False, True, False, True]
    for figures in (seen[1], seen[3]):
        # weight / 2, as much more as it is rarer
        assert figures["total"] - figures["generator"] - figures["discriminator"] == pytest.approx(
            10 * figures["r1"], rel=1e-3
        )


def test_weights_are_held_while_gradients_pass(images: Path) -> None:
    judge = make_discriminator(gan(images))
    x = torch.rand(4, 1, 16, 16, requires_grad=True)
    with held(judge):
        judge(x).sum().backward()
    assert x.grad is not None and all(parameter.grad is None for parameter in judge.parameters())
    assert all(parameter.requires_grad for parameter in judge.parameters())


def test_a_gan_of_recordings_leaves_pictures_and_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    data = make_recordings(tmp_path / "data")
    config = gan(
        data,
        data={"name": "nmnist", "channels": 2, "fit": "crop", "scaling": "dataset", "scale": 1.0},
        model={"coding": "event", "classes": 3, "peak": 4.0, "scoring": "weights"},
        train={"steps": 1},
    )
    run = train_run(config, tmp_path / "run")
    assert {path.name for path in (run / "pictures").glob("*")} == {"samples_00000001.png", "samples_00000001.html"}
    assert "class_entropy" in read_metrics(run / "metrics.csv")[-1]
    made = load(run).sample(2, labels=[0, 2])
    assert made.counts is not None and made.counts.shape == (2, 3, 2, 34, 34)


def test_a_gan_learns_in_16_bits(images: Path, tmp_path: Path) -> None:
    from neurogen.training.precision import computes_bf16

    if not computes_bf16():
        pytest.skip("this CPU does not multiply in bf16")
    figures = {}
    for precision in ("float32", "bf16"):
        config = gan(
            images, judge=SPECTRAL, losses={"kind": "hinge", "r1": 1.0, "r1_every": 1}, train={"precision": precision}
        )
        figures[precision] = one_step(prepared(config, tmp_path), 0, True)
    assert figures["bf16"] != figures["float32"]
    assert figures["bf16"]["discriminator"] == pytest.approx(figures["float32"]["discriminator"], abs=0.05)
