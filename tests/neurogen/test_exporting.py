"""`neurogen export`: files, a report, or nothing."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import export
from neurogen.config import StageOneConfig, parse_config
from neurogen.exporting import COMPARED, ExportOptions, export_model, summary
from neurogen.model import Model, load
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.sampling import OutputError
from neurogen.training import train_run
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.chip_spikes import check_layers
from tests.neurogen.training.runs import make_recordings, stage1_config

FILES = {"decoder.net", "decoder.net.json", "decoder.nir", "samples.npz", "report.json", "report.html"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUROGEN_CACHE", str(folder / "cache"))
        return load(train_run(stage1_config(make_recordings(folder / "data"), steps=30), folder / "run"))


@pytest.fixture(scope="module")
def exported(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "chip"
    export_model(model, out)
    return out


def test_it_leaves_both_files_the_samples_and_the_report(exported: Path) -> None:
    assert {path.name for path in exported.iterdir()} == FILES


def test_the_file_spikes_as_the_samples_beside_it_say(exported: Path) -> None:
    with np.load(exported / "samples.npz") as stored:
        check_layers(export.read_netx(exported / "decoder.net"), stored)


def test_the_report_compares_real_test_items_three_ways(exported: Path, model: Model) -> None:
    report = json.loads((exported / "report.json").read_text(encoding="utf-8"))
    assert report["part"] == "decoder"
    assert report["samples"] == min(COMPARED, 12)
    assert report["steps"] == model.config.model.steps
    assert set(report["values"]) == {"model", "float", "quantised", "simulated"}
    assert report["values"]["float"]["model"] < 1e-8  # floats of 64 and of 32 bits
    assert report["agreement"]["spikes"] > 0
    assert report["agreement"]["entries"] == sum(layer["agreement"]["entries"] for layer in report["layers"])


def test_the_page_shows_the_data_and_each_way(exported: Path) -> None:
    text = (exported / "report.html").read_text(encoding="utf-8")
    captions = re.findall(r"<figcaption>([^<]+)</figcaption>", text)
    assert captions == ["test items", "float", "quantised", "simulated"]


def test_the_encoder_leaves_too(model: Model, tmp_path: Path) -> None:
    figures = export_model(model, tmp_path / "out", options=ExportOptions(("netx",), part="encoder"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "encoder.net",
        "encoder.net.json",
        "samples.npz",
        "report.json",
        "report.html",
    }
    assert figures["readout"]["rms"] > 0


def test_codes_may_enter_the_chip_as_spikes(model: Model, tmp_path: Path) -> None:
    export_model(model, tmp_path / "out", options=ExportOptions(("netx",), codes="chip"))
    with np.load(tmp_path / "out" / "samples.npz") as stored:
        spikes = stored["spikes"]
    assert (spikes[0].sum(1) == 1).all()  # one spike a site
    assert not spikes[1:].any()


def test_what_a_person_reads_first_is_short(exported: Path) -> None:
    figures = json.loads((exported / "report.json").read_text(encoding="utf-8"))
    shown = summary(figures, Path("x"))
    assert shown["report"] == str(Path("x/report.html"))
    assert shown["differ float - simulated"] == figures["agreement"]["float_simulated"]


@pytest.fixture(scope="module")
def spikes(model: Model) -> Model:
    """Spikes for codes, untrained but for its batch norms, over the same recordings."""
    torch.manual_seed(0)
    values = model.config.model_dump(mode="json")
    values["codebook"] |= {"kind": "spike"}
    config = parse_config(values)
    assert isinstance(config, StageOneConfig)
    stage = TTSVQVAE(config).train()
    with torch.no_grad():
        for _ in range(30):
            stage(torch.poisson(torch.full((4, 4, 2, 16, 16), 1.0)))
    return TwoStageModel(dataclasses.replace(model.stored, config=config, network=stage.eval()))


def test_a_model_of_spike_codes_leaves_whole(spikes: Model, tmp_path: Path) -> None:
    figures = export_model(spikes, tmp_path / "out", options=ExportOptions(part="whole"))
    assert {"whole.net", "whole.nir"} < {path.name for path in (tmp_path / "out").iterdir()}
    assert figures["part"] == "whole"
    assert figures["agreement"]["quantised_simulated"] == 0
    assert "all of a spiking VQ-VAE on Loihi 2" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    names = [layer["name"] for layer in figures["layers"]]
    assert names.index("codes") == sum(name.startswith("encoder.") for name in names)
    assert figures["values"]["float"]["model"] < 1e-8


def test_only_spike_codes_leave_whole(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected --part decoder or encoder for codebook\.kind=temporal"):
        export_model(model, tmp_path / "out", options=ExportOptions(part="whole"))
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def gated(model: Model) -> Model:
    """The published kind, untrained, over the same recordings."""
    values = model.config.model_dump(mode="json")
    values["model"] |= {
        "kind": "gated",
        "readout": "step",
        "gated": {"width": 32, "multipliers": [1, 2], "blocks": 1, "attention": [], "latent": 8},
    }
    config = parse_config(values)
    assert isinstance(config, StageOneConfig)
    return TwoStageModel(dataclasses.replace(model.stored, config=config, network=TTSVQVAE(config).eval()))


@pytest.mark.parametrize("part", ["decoder", "encoder"])
def test_a_gated_model_is_refused_layer_by_layer_and_nothing_is_written(
    gated: Model, tmp_path: Path, part: str
) -> None:
    with pytest.raises(export.Refusal) as refusal:
        export_model(gated, tmp_path / "out", options=ExportOptions(part=part))  # type: ignore[arg-type]
    half = gated.stored.network.decoder[0] if part == "decoder" else gated.stored.network.encoder
    names = {name for name, _ in half.named_modules()}
    lines = str(refusal.value).splitlines()
    assert len(lines) > 4
    assert all(line.split(":")[0] in names for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_a_gated_model_s_codes_do_not_enter_as_spikes(gated: Model, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected --codes host for a model of the gated kind"):
        export_model(gated, tmp_path / "out", options=ExportOptions(codes="chip"))


def test_a_failure_while_writing_leaves_nothing(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neurogen.exporting.page", full)
    with pytest.raises(OSError, match="No space"):
        export_model(model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_kept(model: Model, exported: Path) -> None:
    with pytest.raises(OutputError, match="expected --out to be a new or empty folder"):
        export_model(model, exported)
    assert {path.name for path in exported.iterdir()} == FILES


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"to": ("onnx",)}, "expected --to to list some of netx,nir, got 'onnx'"),
        ({"to": ()}, "expected --to to list some of netx,nir, got nothing"),
        ({"part": "prior"}, "expected --part to be decoder or encoder or whole, got 'prior'"),
        ({"codes": "cloud"}, "expected --codes to be host or chip, got 'cloud'"),
        ({"readout": "screen"}, "expected --readout to be host or membrane or sigma, got 'screen'"),
        (
            {"part": "encoder", "codes": "chip"},
            "expected --codes chip with --part decoder, --part encoder takes no codes",
        ),
    ],
)
def test_wrong_options_are_one_sentence(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(OutputError, match=re.escape(sentence)):
        ExportOptions(**options)  # type: ignore[arg-type]


def test_nir_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurogen.exporting.has_nir", lambda: False)
    with pytest.raises(OutputError, match="pip install 'neurogen"):
        ExportOptions(("nir",))
    assert ExportOptions(("netx",)).to == ("netx",)
