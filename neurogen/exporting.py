"""A model or half of it as files for neuromorphic hardware, with a report that shows what is lost on the way.

    decoder.net   decoder.net.json   decoder.nir   samples.npz   report.json   report.html

The folder is filled beside its final name and renamed when complete. Test items, classes in turn, run through the model
as trained, through the chip's integers, and through the chip's arithmetic; the page shows what each makes of them.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import export
from event_tools.atomic import filling
from export.network import Network, Neuron
from export.page import page
from export.samples import samples
from neurogen.data import classes_in_turn, open_data
from neurogen.model import Model
from neurogen.models.on_chip import Codes, Half, Last, decoder_half, encoder_half, whole
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.pictures import colour_counts, image_grid
from neurogen.sampling import OutputError, check_free

TARGETS = ("netx", "nir")
COMPARED = 32  # test items that every way runs
SHOWN = 12  # of them on the page


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
    stage = model.stored.network
    half = _part(stage, options)
    config = model.config.data if data is None else model.config.data.model_copy(update={"path": str(data)})
    test = open_data(config, model.config.model.steps, "test", scaling=model.stored.scaling)
    index = classes_in_turn(test.labels, COMPARED)
    x = test.batch(index, None)
    with torch.inference_mode():
        inputs = half.inputs(x).clone()
        network = settled(export.read(half.module, inputs), half)
        chip = export.quantise(network, inputs.numpy(), per_channel=options.per_channel, readout=options.readout)
        report = export.report(chip, inputs.numpy(), network)
        values = {way: half.finish(torch.from_numpy(out).float()) for way, out in report.outputs.items()}
    errors = _errors(x, model.reconstruct(x), values)
    what = "all" if options.part == "whole" else f"the {options.part}"
    title = f"{model.config.data.name}: {what} of a spiking VQ-VAE on {report.chip.name}"
    figures = {"part": options.part, "values": errors, **report.to_dict()}
    with filling(out) as folder:
        if "netx" in options.to:
            export.write_netx(chip, folder / f"{options.part}.net")
        if "nir" in options.to:
            export.write_nir(network, folder / f"{options.part}.nir")
        np.savez_compressed(folder / "samples.npz", **samples(chip, inputs.numpy()))
        (folder / "report.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        pictures = _pictures(model, x, values, test.labels[index])
        (folder / "report.html").write_text(page(report, title, pictures, _note(errors)), encoding="utf-8")
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
        **{f"squared error, {way}": each["data"] for way, each in values.items() if way != "model"},
        "accumulates a sample": totals["accumulates"],
        "µJ a sample, Loihi 1 constants": loihi1["microjoules"],
    }


def _part(stage: TTSVQVAE, options: ExportOptions) -> Half:
    if options.part == "whole":
        return whole(stage, options.readout)
    return encoder_half(stage) if options.part == "encoder" else decoder_half(stage, options.codes, options.readout)


def settled(network: Network, half: Half) -> Network:
    """Its last convolution as the chip shall run it."""
    last = network.layers[-1]
    if half.bias_on_host:
        last = dataclasses.replace(last, bias=None)
    if half.leak is not None:
        last = dataclasses.replace(last, neuron=Neuron(half.leak, 1.0, np.inf))
    return dataclasses.replace(network, layers=(*network.layers[:-1], last))


def _errors(x: Tensor, trained: Tensor, values: dict[str, Tensor]) -> dict[str, dict[str, float]]:
    """Mean squared error in model units of each way: from the data, and from what the model itself makes in float32."""
    every = {"model": trained, **values}
    return {
        way: {"data": float(torch.mean((made - x) ** 2)), "model": float(torch.mean((made - trained) ** 2))}
        for way, made in every.items()
    }


def _note(errors: dict[str, dict[str, float]]) -> str:
    listed = ", ".join(f"{way} {each['data']:.4g}" for way, each in errors.items() if way != "model")
    return (
        f"Test items, and what each way makes of them. Mean squared error from the data, in model units: {listed}; "
        f"of the simulated ones from the trained model's own {errors['simulated']['model']:.2g}."
    )


def _pictures(model: Model, x: Tensor, values: dict[str, Tensor], labels: NDArray[np.int64]) -> dict[str, bytes]:
    """One strip of pictures for the data and for each way, in colours of one scale."""
    strips = {"test items": x, **values}
    some = np.unique(np.linspace(0, len(x) - 1, SHOWN).astype(int))  # of every class, as far as they go
    made = {name: model.finish(v[some], None, labels[some]) for name, v in strips.items()}
    top = None
    if made["test items"].counts is not None:
        top = max(float(np.quantile(made["test items"].counts.sum(1), 0.999)), 1.0)
    return {
        name: _png(image_grid(s.images if s.counts is None else colour_counts(s.counts.sum(1), top), SHOWN))
        for name, s in made.items()
    }


def _png(image: NDArray[np.uint8]) -> bytes:
    """(C, H, W) uint8, 1 or 3 channels."""
    buffer = io.BytesIO()
    Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)).save(buffer, format="PNG")
    return buffer.getvalue()


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise OutputError(f"expected {option} to be {' or '.join(known)}, got {value!r}")
