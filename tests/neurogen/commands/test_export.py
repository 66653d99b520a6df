"""Export from the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from neurogen.config import parse_config
from neurogen.model import load
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.commands.answers import Command, refused
from tests.neurogen.training.runs import stage1_config


@pytest.fixture(scope="module")
def finished(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the first stage."""
    from neurogen.training import train_run

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUROGEN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return train_run(stage1_config(recordings), tmp_path_factory.mktemp("finished") / "run")


def test_export_prints_figures_and_leaves_the_files(run: Command, finished: Path, tmp_path: Path) -> None:
    result = run("export", str(finished), "--out", str(tmp_path / "chip"), "--to", "netx", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["agreement"]["quantised_simulated"] == 0
    assert (tmp_path / "chip" / "decoder.net").is_file()
    shown = run("export", str(finished), "--out", str(tmp_path / "again"), "--to", "netx", "--part", "encoder")
    assert str(tmp_path / "again" / "report.html") in shown.stdout.splitlines()[0]
    assert "to be decoder or encoder" in refused(run("export", str(finished), "--out", "x", "--part", "prior"))


def test_export_refuses_a_gated_model_with_a_line_for_each_layer(run: Command, finished: Path, tmp_path: Path) -> None:
    model = load(finished)
    values = model.config.model_dump(mode="json")
    gated = {"width": 32, "multipliers": [1, 2], "blocks": 1, "attention": [], "latent": 8}
    config = parse_config(values | {"model": values["model"] | {"kind": "gated", "readout": "step", "gated": gated}})
    TwoStageModel(dataclasses.replace(model.stored, config=config, network=TTSVQVAE(config))).save(tmp_path / "model")
    result = run("export", str(tmp_path / "model"), "--out", str(tmp_path / "out"))
    assert (result.returncode, result.stdout) == (2, "")
    first, *lines = result.stderr.splitlines()
    assert first.startswith("neurogen: the decoder cannot run on the chip, nothing was written")
    names = {name for name, _ in TTSVQVAE(config).decoder[0].named_modules()}
    assert len(lines) > 4
    assert all(line.split(":")[0] in names for line in lines)
    assert not (tmp_path / "out").exists()
