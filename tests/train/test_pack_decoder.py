"""A shipped decoder's files run as the decoder of the model beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import export
from export.samples import samples
from neurogen import pretrained
from neurogen.blocks import fold
from neurogen.exporting import settled
from neurogen.model import Model, load
from neurogen.models.on_chip import decoder_half
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.chip_spikes import check_layers
from tests.neurogen.tiny import event_model
from tests.neurogen.training.runs import make_recordings
from train.pack_decoder import pack_decoder

SHIPPED = [name for name in pretrained.names() if name.endswith("-decoder")]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A model whose neurons fire, and its decoder's folder."""
    place = tmp_path_factory.mktemp("decoder")
    model = event_model()
    stage = model.stored.network.train()
    with torch.no_grad():
        for module in stage.modules():
            if isinstance(module, nn.BatchNorm2d) and module.affine:
                module.bias.fill_(0.7)  # so that neurons fire
        for _ in range(20):
            stage(torch.poisson(torch.full((4, 4, 2, 16, 16), 1.0)))
    stage.eval()
    data = model.config.data.model_copy(update={"name": "nmnist", "path": str(make_recordings(place / "data", 5))})
    scaling = replace(model.stored.scaling, sensor_size=(34, 34))
    stored = replace(model.stored, config=model.config.model_copy(update={"data": data}), scaling=scaling)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUROGEN_CACHE", str(place / "cache"))
        return TwoStageModel(stored), pack_decoder(TwoStageModel(stored), "tiny", place)


def test_its_folder_has_the_files_and_a_card(tiny: tuple[Model, Path]) -> None:
    _, folder = tiny
    files = {"decoder.net", "decoder.net.json", "decoder.nir", "report.json", "README.md"}
    assert folder.name == "tiny-decoder"
    assert {path.name for path in folder.iterdir()} == files
    assert "- data licence: CC BY-SA 4.0" in (folder / "README.md").read_text()


def test_its_files_run_as_the_model_s_decoder(tiny: tuple[Model, Path]) -> None:
    _check(*tiny)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_decoder_runs_as_the_model_s(name: str) -> None:
    folder = pretrained.HERE / name
    model = load(pretrained.HERE / name.removesuffix("-decoder"))
    assert model.stored.sha256 in (folder / "README.md").read_text()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    _check(model, folder)


def _check(model: Model, folder: Path) -> None:
    """The .net makes the spikes of the model in the chip's integers, bit for bit; the .nir those of the model."""
    stage, form = model.stored.network, model.code_form
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, form.size, (3, form.height, form.width)))
    half = decoder_half(stage, "host", "host")
    with torch.inference_mode():
        rows = fold(stage.post_quant_conv, stage.codebook.lookup(codes)).clone()
        own = half.module(rows)
        chip = export.quantise(settled(export.read(half.module, rows), half), rows.numpy())
    check_layers(export.read_netx(folder / "decoder.net"), samples(chip, rows.numpy()))
    assert 0.02 < float(own.mean()) < 0.9  # otherwise the comparison would say little
    with torch.inference_mode():
        spikes = export.read_nir(folder / "decoder.nir")(rows)
    # Sums in another order may move a membrane that lies at the threshold: a spike in thousands.
    assert float((spikes != own).float().mean()) < 1e-3
