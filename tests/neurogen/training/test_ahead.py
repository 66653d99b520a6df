"""Batches made ahead change nothing that training does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from neurogen.config import StageOneConfig, parse_config
from neurogen.data.prefetch import Prefetch
from neurogen.training import train_run
from tests.neurogen.training.runs import make_recordings, stage1_config


def test_weights_are_bitwise_those_without_prefetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    values = stage1_config(make_recordings(tmp_path / "data")).model_dump(mode="json")
    values["data"] |= {"shift": 2, "flip": True}
    values["train"] |= {"steps": 7}
    config = parse_config(values)
    assert isinstance(config, StageOneConfig)
    ahead = train_run(config, tmp_path / "ahead") / "model" / "weights.safetensors"
    asked = []

    def at_once(self: Prefetch, index: Tensor, step: int) -> Tensor:
        asked.append(step)
        return self.prepare(index, step)

    monkeypatch.setattr(Prefetch, "take", at_once)
    plain = train_run(config, tmp_path / "plain") / "model" / "weights.safetensors"
    assert asked == list(range(7))
    assert ahead.read_bytes() == plain.read_bytes()


def test_the_next_batch_is_under_way_after_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neurogen.training.order import batch_items
    from neurogen.training.stage1 import StageOneSystem

    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    config = stage1_config(make_recordings(tmp_path / "data"))
    system = StageOneSystem(config, torch.device("cpu"), tmp_path / "run")
    size = config.train.batch_size
    system.step(batch_items(config.seed, 0, system.items, size), 0, False)
    assert system.run_items._ahead._next is not None
    step, future = system.run_items._ahead._next
    index, batch = future.result()
    assert step == 1 and torch.equal(index, batch_items(config.seed, 1, system.items, size))
    assert len(batch) == size
