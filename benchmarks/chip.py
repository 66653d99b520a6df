"""Export to a neuromorphic chip: time and memory of each step for the full-size decoder, and what a trained one loses.

    python benchmarks/chip.py size [--threads 2] [--steps 8] [--samples 8]
    python benchmarks/chip.py loss MODEL [--tuned MODEL] [--data DATA] [--samples 200]

`size`: 256 channels at 4x4 through three transposed convolutions (128, 64, 32; kernel 4, stride 2) and a 3x3 to one at
32x32, batch norms as after training, LIF with tau 2; a step is timed once, `cpu` is its processor time,
`peak` what the one process has held so far.
`loss`: a trained model's decoder, exported with one scale a layer and with one a channel, and the same model fine-tuned
on the chip's grid (`--tuned`): squared error of test items as trained (float32), in floats, quantised and simulated,
and neuron steps that differ. One JSON line a figure.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.layer import BatchNorm2d, Conv2d, ConvTranspose2d
from spikingjelly.activation_based.neuron import LIFNode
from torch import nn

import export

WIDTHS = (256, 128, 64, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    size = commands.add_parser("size")
    size.add_argument("--threads", type=int, default=2)
    size.add_argument("--steps", type=int, default=8)
    size.add_argument("--samples", type=int, default=8)
    loss = commands.add_parser("loss")
    loss.add_argument("model", type=Path)
    loss.add_argument("--tuned", type=Path)
    loss.add_argument("--data", type=Path)
    loss.add_argument("--samples", type=int, default=200)
    options = parser.parse_args()
    if options.command == "size":
        torch.set_num_threads(options.threads)
        measure_size(options.steps, options.samples, options.threads)
    else:
        measure_loss(options.model, options.tuned, options.data, options.samples)


def measure_size(steps: int, samples: int, threads: int) -> None:
    """Every step from the module to the report, timed."""
    spikes = (torch.rand(steps, samples, WIDTHS[0], 4, 4, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    decoder = full_size_decoder(spikes)
    settings = {"decoder": "256-128-64-32-1", "steps": steps, "samples": samples, "threads": threads}

    def timed(what: str, work: Callable[[], Any]) -> Any:
        begin, cpu = time.perf_counter(), time.process_time()
        result = work()
        spent = time.process_time() - cpu
        show(f"seconds, {what}", time.perf_counter() - begin, "s", settings, cpu=round(spent, 3))
        return result

    network = timed("read", lambda: export.read(decoder, spikes))
    chip = timed("quantise", lambda: export.quantise(network, spikes.numpy()))
    with tempfile.TemporaryDirectory() as folder:
        net, nir = Path(folder) / "decoder.net", Path(folder) / "decoder.nir"
        timed("write netx", lambda: export.write_netx(chip, net))
        show("size, netx", net.stat().st_size / 1e6, "MB", settings)
        timed("write NIR", lambda: export.write_nir(network, nir))
        show("size, NIR", nir.stat().st_size / 1e6, "MB", settings)
    timed("simulate", lambda: export.simulate(chip, spikes.numpy()))
    show("peak, simulated", peak_mib(), "MiB", settings)
    report = timed("report, with floats", lambda: export.report(chip, spikes.numpy(), network))
    show("peak, reported", peak_mib(), "MiB", settings)
    for layer in report.layers:
        show("synapses", layer.synapses, "1", settings | {"layer": layer.name}, rate=layer.rate)
    totals, agreement = report.totals, report.agreement
    show("synapses", totals.synapses, "1", settings, cores=[totals.cores.at_least, totals.cores.at_most])
    show("differ, float - simulated", agreement.float_simulated, "1", settings, of=agreement.entries)
    show("differ, quantised - simulated", agreement.quantised_simulated, "1", settings, of=agreement.entries)


def full_size_decoder(spikes: torch.Tensor) -> nn.Module:
    """Random weights, batch norms settled on these spikes so that a fifth of the neurons fire or more."""
    torch.manual_seed(0)
    parts: list[nn.Module] = []
    for inputs, outputs in zip(WIDTHS, (*WIDTHS[1:], 1), strict=True):
        sizes: dict[str, Any] = {"bias": False, "step_mode": "m"}
        if outputs > 1:
            parts.append(ConvTranspose2d(inputs, outputs, 4, 2, 1, **sizes))
        else:
            parts.append(Conv2d(inputs, outputs, 3, 1, 1, **sizes))
        parts += [BatchNorm2d(outputs, momentum=0.5, step_mode="m"), LIFNode(tau=2.0, decay_input=False, step_mode="m")]
    decoder = nn.Sequential(*parts)
    with torch.no_grad():
        for _ in range(15):
            decoder(spikes)
            functional.reset_net(decoder)
    return decoder.eval()


def measure_loss(model: Path, tuned: Path | None, data: Path | None, samples: int) -> None:
    """Of a model and of the same one fine-tuned."""
    from neurogen import exporting
    from neurogen.exporting import ExportOptions, export_model
    from neurogen.model import load

    exporting.COMPARED = samples
    for name, path in {"as trained": model, "fine-tuned": tuned}.items():
        if path is None:
            continue
        for per_channel in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                options = ExportOptions(("netx",), per_channel=per_channel)
                figures = export_model(load(path), Path(folder) / "out", data, options)
            settings = {"model": name, "scales": "channel" if per_channel else "layer", "samples": samples}
            for way, each in figures["values"].items():
                show(f"squared error, {way}", each["data"], "1", settings, from_model=each["model"])
            found = figures["agreement"]
            for pair in ("float_quantised", "quantised_simulated", "float_simulated"):
                share = found[pair] / found["entries"]
                show(f"differ, {pair}", share, "1", settings, of=found["entries"], spikes=found["spikes"])
            show("rate", np.mean([layer["rate"] for layer in figures["layers"]]).item(), "1", settings)


def peak_mib() -> float:
    """Of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def show(figure: str, value: float, unit: str, settings: dict[str, Any], **more: Any) -> None:
    """One JSON line."""
    print(json.dumps({"figure": figure, "value": round(float(value), 6), "unit": unit, **settings, **more}), flush=True)


if __name__ == "__main__":
    main()
