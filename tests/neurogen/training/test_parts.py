"""Order, learning rates, devices and logs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from neurogen.config import TrainConfig
from neurogen.training.averaging import WeightAverage
from neurogen.training.checkpoint import load_newest, save_checkpoint
from neurogen.training.descent import Descent
from neurogen.training.device import choose_device
from neurogen.training.errors import TrainingError
from neurogen.training.log import MetricsLog, read_metrics
from neurogen.training.optimisers import MUON_SHARE, learning_rate, make_optimiser
from neurogen.training.order import batch_items, keyed_generator


def test_an_epoch_holds_every_item_once() -> None:
    items = torch.cat([batch_items(0, step, 12, 4) for step in range(3)])
    assert sorted(items.tolist()) == list(range(12))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first = batch_items(0, 0, 64, 64).tolist()
    assert first != batch_items(0, 1, 64, 64).tolist()
    assert first != batch_items(1, 0, 64, 64).tolist()
    assert first == batch_items(0, 0, 64, 64).tolist()


def test_processes_share_the_global_batch() -> None:
    whole = batch_items(3, 5, 100, 8).tolist()
    assert whole == batch_items(3, 5, 100, 8, 0, 2).tolist() + batch_items(3, 5, 100, 8, 1, 2).tolist()


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(TrainingError, match="divide among 3 processes"):
        batch_items(0, 0, 100, 8, 0, 3)


def test_generators_depend_on_their_key_alone() -> None:
    draws = [
        torch.rand(4, generator=keyed_generator(*key)).tolist() for key in ((0, 1, 2), (0, 1, 2), (0, 2, 1), (1, 0, 2))
    ]
    assert draws[0] == draws[1]
    assert len({tuple(draw) for draw in draws}) == 3


def test_the_cosine_falls_to_two_percent() -> None:
    config = TrainConfig(steps=1000, lr=1.0, schedule="cosine", warmup=10)
    assert learning_rate(config, 0) == pytest.approx(0.1)
    assert learning_rate(config, 500) == pytest.approx(0.51, abs=1e-3)  # 0.02 + 0.98 / 2
    assert learning_rate(config, 1000) == pytest.approx(0.02)


def test_only_weights_of_linear_layers_and_convolutions_decay() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2), nn.Embedding(3, 2))
    optimiser = make_optimiser(TrainConfig(optimiser="adamw", weight_decay=0.1), network)
    decayed = {id(p) for group in optimiser.param_groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {id(network[0].weight), id(network[2].weight)}


def test_muon_moves_matrices_orthogonally_and_adamw_the_rest() -> None:
    network = nn.Sequential(OrderedDict(inner=nn.Linear(8, 8), head=nn.Linear(8, 4)))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    left, right = (torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(k)))[0] for k in (1, 2))
    gradient = left @ torch.diag(torch.linspace(0.4, 1.0, 8)) @ right
    config = TrainConfig(optimiser="muon", lr=0.01, schedule="constant", warmup=0, weight_decay=0.0)
    descent = Descent(network, config)
    descent.set_rate(0)
    descent.take((network.inner.weight * gradient).sum() + network.head.weight.sum())
    assert descent.moved
    moved = {name: p.detach() - before[name] for name, p in network.named_parameters()}
    # Liu et al. 2025: an orthogonal matrix times 0.2 sqrt(max(rows, columns)); Muon's iteration ends within 30 % of it.
    inner = moved["inner.weight"] / (MUON_SHARE * 0.01 * 0.2 * 8**0.5)
    assert torch.linalg.svdvals(inner).sub(1).abs().max() < 0.35
    assert torch.nn.functional.cosine_similarity(inner.flatten(), -(left @ right).flatten(), 0) > 0.95
    assert moved["head.weight"].flatten().tolist() == pytest.approx([-0.01] * 32, rel=1e-3)  # Adam's first step


def test_a_checkpoint_of_muon_goes_on_exactly() -> None:
    def make() -> Descent:
        torch.manual_seed(0)
        return Descent(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)), TrainConfig(optimiser="muon"))

    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    whole, first, second = make(), make(), make()
    for _ in range(4):
        whole.take(whole.module(x).square().sum())
    for _ in range(2):
        first.take(first.module(x).square().sum())
    second.module.load_state_dict(first.module.state_dict())
    second.load_state_dict(first.state_dict())
    for _ in range(2):
        second.take(second.module(x).square().sum())
    assert all(torch.equal(a, b) for a, b in zip(whole.module.parameters(), second.module.parameters(), strict=True))


def test_the_average_follows_by_its_decay() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 0.0)
    average = WeightAverage(layer, 0.75)
    nn.init.constant_(layer.weight, 1.0)
    average.update()
    average.update()
    with average.applied():
        assert layer.weight.item() == pytest.approx(1 - 0.75**2)
    assert layer.weight.item() == 1.0


def test_a_device_that_is_not_there_is_refused() -> None:
    missing = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(TrainingError, match=f"expected {missing}, this machine has"):
        choose_device(missing)
    with pytest.raises(TrainingError, match="got gpu"):
        choose_device("gpu")


def test_rows_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, ("total",), 0, tensorboard=False)
    for step in (1, 2, 3):
        log.write(step, {"total": step / 2})
    MetricsLog(tmp_path, ("total",), 2, tensorboard=False).write(3, {"total": 9.0})
    assert read_metrics(tmp_path / "metrics.csv") == [
        {"step": 1, "total": 0.5},
        {"step": 2, "total": 1.0},
        {"step": 3, "total": 9.0},
    ]


def test_a_last_line_cut_short_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,total\n1,0.5\n2")
    assert read_metrics(tmp_path / "metrics.csv") == [{"step": 1, "total": 0.5}]


def test_a_full_disk_is_told_as_such_and_leaves_the_checkpoints_there_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, 1, {"modules": {"a": torch.zeros(4)}}, keep=1)
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")

    @contextmanager
    def full(_path: Path) -> Iterator[Path]:
        yield Path("/dev/full")

    monkeypatch.setattr("neurogen.training.checkpoint.replacing", full)
    with pytest.raises(OSError, match="No space left on device"):
        save_checkpoint(tmp_path, 2, {"modules": {"a": torch.zeros(1 << 20)}}, keep=1)
    assert load_newest(tmp_path)["step"] == 1
