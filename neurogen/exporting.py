"""A model or half of it as files for neuromorphic hardware, with a report that shows what is lost on the way.

    decoder.net   decoder.net.json   decoder.nir   samples.npz   report.json   report.html

The folder is filled beside its final name and renamed when complete. Test items, classes in turn, or the samples of a
model without an encoder run through the model as trained, through the chip's integers, and through the chip's
arithmetic; the page shows what each makes of them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

import export
from event_tools.atomic import filling
from export.network import Network, Neuron
from export.page import page
from export.samples import samples as chip_samples
from neurogen.compared import Compared, held_out, samples
from neurogen.latent_model import LatentModel
from neurogen.model import Model
from neurogen.models.latent_on_chip import latent_half
from neurogen.models.on_chip import Codes, Half, Last, decoder_half, encoder_half, whole
from neurogen.sampling import OutputError, check_free

TARGETS = ("netx", "nir")
COMPARED = 32  # test items or samples that every way runs
SHOWN = 12  # of them on the page
NAMES = {
    "tts_vqvae": "a spiking VQ-VAE",
    "fsvae": "a fully spiking VAE",
    "vae": "a VAE",
    "sgan": "a spiking GAN",
    "swgan": "a spiking Wasserstein GAN",
    "sgad": "a spiking GAN with attention decoding",
    "sae": "a spiking autoencoder",
}


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """to: files to write; part: of the model; codes, readout: who has both ends; per_channel: scales."""

    to: Sequence[str] = TARGETS
    part: Literal["decoder", "encoder", "whole"] = "decoder"
    codes: Codes = "host"
    readout: Last = "host"
    per_channel: bool = False

    def __post_init__(self) -> None:
        for name in self.to:
            if name not in TARGETS:
                raise OutputError(f"expected --to to list some of {','.join(TARGETS)}, got {name!r}")
        if "nir" in self.to and not has_nir():
            raise OutputError(
                "expected the package nir for --to nir, it is not there; pip install 'neurogen[nir]', or say --to netx"
            )
        _one_of("--part", self.part, ("decoder", "encoder", "whole"))
        _one_of("--codes", self.codes, ("host", "chip"))
        _one_of("--readout", self.readout, ("host", "membrane", "sigma"))
        if not self.to:
            raise OutputError(f"expected --to to list some of {','.join(TARGETS)}, got nothing")
        if self.part != "decoder" and self.codes == "chip":
            raise OutputError(f"expected --codes chip with --part decoder, --part {self.part} takes no codes")


def has_nir() -> bool:
    """Whether NIR can be written here."""
    return find_spec("nir") is not None


def export_model(
    model: Model, out: Path, data: Path | None = None, options: ExportOptions | None = None
) -> dict[str, Any]:
    """Write the files into the new folder `out` and return the report's figures.

    data: what to read instead of the model's own. Raises OutputError, DataError, `export.Refusal`.
    """
    options = options or ExportOptions()
    check_free(out)
    drawn = None if model.encodes else samples(model, COMPARED)
    half = _half(model, options, drawn)
    items = drawn or held_out(model, data, COMPARED)
    with torch.inference_mode():
        inputs = half.inputs(items.given).clone()
        network = settled(export.read(half.module, inputs), half)
        chip = export.quantise(network, inputs.numpy(), per_channel=options.per_channel, readout=options.readout)
        report = export.report(chip, inputs.numpy(), network)
        values = {way: half.finish(torch.from_numpy(out).float()) for way, out in report.outputs.items()}
    part = "all" if options.part == "whole" else "the generator" if drawn else f"the {options.part}"
    title = f"{model.config.data.name}: {part} of {NAMES[model.config.system]} on {report.chip.name}"
    figures = {"part": options.part, "values": items.errors(values), **report.to_dict()}
    with filling(out) as folder:
        if "netx" in options.to:
            export.write_netx(chip, folder / f"{options.part}.net")
        if "nir" in options.to:
            export.write_nir(network, folder / f"{options.part}.nir")
        np.savez_compressed(folder / "samples.npz", **chip_samples(chip, inputs.numpy()))
        (folder / "report.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        pictures = items.pictures(model, values, SHOWN)
        (folder / "report.html").write_text(page(report, title, pictures, items.note(values)), encoding="utf-8")
    return figures


def summary(figures: dict[str, Any], out: Path) -> dict[str, Any]:
    """What a person wants to read first, of the figures that `export_model` returned."""
    agreement, totals, values = figures["agreement"], figures["totals"], figures["values"]
    cores = totals["cores"]
    loihi1 = next(one for one in figures["energy"] if one["constants"]["name"] == "Loihi 1")
    return {
        "report": str(out / "report.html"),
        "layers on the chip": len(figures["layers"]),
        "neurons": totals["neurons"],
        "cores, by two bounds": f"{cores['at_least']} to {cores['at_most']}",
        "latency in steps": figures["latency"],
        "steps of a neuron compared": agreement["entries"],
        "of them spikes": agreement["spikes"],
        "differ float - quantised": agreement["float_quantised"],
        "differ quantised - simulated": agreement["quantised_simulated"],
        "differ float - simulated": agreement["float_simulated"],
        **{
            f"squared error{'' if 'data' in each else ' from the model'}, {way}": each.get("data", each["model"])
            for way, each in values.items()
            if way != "model"
        },
        "accumulates a sample": totals["accumulates"],
        "µJ a sample, Loihi 1 constants": loihi1["microjoules"],
    }


def _half(model: Model, options: ExportOptions, drawn: Compared | None) -> Half:
    if isinstance(model, LatentModel):
        labels = None if drawn is None or not model.conditional else torch.from_numpy(drawn.labels)
        uniforms = model.encoding_uniforms(range(COMPARED))
        return latent_half(model.network, options.part, options.codes, options.readout, uniforms, labels)
    stage = model.stored.network
    if options.part == "whole":
        return whole(stage, options.readout)
    return encoder_half(stage) if options.part == "encoder" else decoder_half(stage, options.codes, options.readout)


def settled(network: Network, half: Half) -> Network:
    """Its last convolution as the chip shall run it, and what else the host does."""
    last = network.layers[-1]
    if half.bias_on_host:
        last = dataclasses.replace(last, bias=None)
    if half.leak is not None:
        last = dataclasses.replace(last, neuron=Neuron(half.leak, 1.0, np.inf))
    return dataclasses.replace(network, layers=(*network.layers[:-1], last), host=(*network.host, *half.host))


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise OutputError(f"expected {option} to be {' or '.join(known)}, got {value!r}")
