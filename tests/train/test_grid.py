"""quantise=true: a first stage trained on a chip's grid is exported without a differing spike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import export
from neurogen.config import ConfigError, StageOneConfig, parse_config
from neurogen.model_folder import load_model
from neurogen.models.on_chip import decoder_half, encoder_half, whole
from neurogen.training import TrainingError, train_run
from neurogen.training.stage1 import StageOneSystem
from tests.neurogen.training.runs import make_recordings, stage1_config, weights_digest
from train.grid import on_grid


def _config(recordings: Path, quantise: bool = True) -> StageOneConfig:
    """The tiny first stage with neurons that fire early."""
    config = stage1_config(recordings, average=0.5)
    neurons = config.neurons.model_copy(update={"threshold": 0.2})
    return config.model_copy(update={"quantise": quantise, "neurons": neurons})


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recordings(tmp_path_factory.mktemp("data") / "recordings")


@pytest.fixture(scope="module")
def finished(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_run(_config(recordings), tmp_path_factory.mktemp("runs") / "grid", on_grid=on_grid)


def test_the_model_folder_spikes_on_the_chip_as_in_training(finished: Path) -> None:
    stage = load_model(finished).network
    for half in (decoder_half(stage, "host", "host"), encoder_half(stage)):
        x = torch.rand(4, 4, 2, 16, 16, generator=torch.Generator().manual_seed(0)) * 2
        with torch.no_grad():
            inputs = half.inputs(x).clone()
        network = export.read(half.module, inputs)
        names = [layer.name for layer in network.layers if layer.neuron is not None]
        chip = export.quantise(network, inputs.numpy())
        expected, found = export.run(network, inputs, names), export.simulate(chip, inputs.numpy(), names)
        assert all(np.array_equal(expected[name], found[name]) for name in names)
        assert sum(expected[name].sum() for name in names) > 1000


def test_a_model_of_spike_codes_is_on_one_grid(recordings: Path, tmp_path: Path) -> None:
    values = _config(recordings).model_dump(mode="json")
    values["codebook"] |= {"kind": "spike"}
    config = parse_config(values)
    assert isinstance(config, StageOneConfig)
    stage = load_model(train_run(config, tmp_path / "run", on_grid=on_grid)).network
    half = whole(stage, "host")
    x = torch.rand(4, 4, 2, 16, 16, generator=torch.Generator().manual_seed(0)) * 2
    with torch.no_grad():
        inputs = half.inputs(x).clone()
    network = export.read(half.module, inputs)
    chip = export.quantise(network, inputs.numpy())
    agreement = export.report(chip, inputs.numpy(), network).agreement
    assert agreement.spikes > 1000
    assert agreement.float_simulated == 0


def test_a_resumed_run_on_the_grid_is_bitwise_the_uninterrupted_one(
    finished: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, step = _config(recordings), StageOneSystem.step

    def stopping(self: StageOneSystem, index: torch.Tensor, number: int, log: bool) -> dict[str, float]:
        if number == 5:
            raise KeyboardInterrupt
        return step(self, index, number, log)

    with monkeypatch.context() as patch:
        patch.setattr(StageOneSystem, "step", stopping)
        with pytest.raises(KeyboardInterrupt):
            train_run(config, tmp_path / "run", on_grid=on_grid)
    train_run(config, tmp_path / "run", resume=True, on_grid=on_grid)
    assert weights_digest(tmp_path / "run") == weights_digest(finished)


def test_the_grid_changes_what_is_learnt(finished: Path, recordings: Path, tmp_path: Path) -> None:
    plain = train_run(_config(recordings, quantise=False), tmp_path / "plain")
    assert weights_digest(plain) != weights_digest(finished)
    keys = [list(load_model(run).network.state_dict()) for run in (plain, finished)]
    assert keys[0] == keys[1]


def test_the_gated_kind_is_refused_before_anything_is_read(recordings: Path) -> None:
    values = stage1_config(recordings).model_dump(mode="json") | {"quantise": True}
    values["model"] |= {"kind": "gated"}
    with pytest.raises(ConfigError, match=r"quantise=true does not go with model.kind=gated"):
        parse_config(values)


def test_without_the_exporter_it_is_refused(recordings: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="on_grid"):
        train_run(_config(recordings), tmp_path / "run")
    assert not (tmp_path / "run").exists()
