"""The `neurogen` command: train, sample, reconstruct, evaluate, export, plot, info, configs, models, demo, doctor,
events.

Answers go to stdout, talk to stderr. An error that a person can mend is one sentence and exit status 2. Everything
heavy is imported inside the command that needs it, so that --help and --version are instant.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from event_tools.cli import app as events_app
from event_tools.command import run_command, tell
from neurogen import cli_about
from neurogen.cli_options import AsJson, Device, ModelPath, Overrides

app = typer.Typer(
    name="neurogen",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Spiking networks that generate images and event-camera recordings.",
    epilog="Example: neurogen demo",
)
app.add_typer(events_app, name="events", help="Event recordings: read, write, bin, place, filter and show them.")


def main() -> None:
    """Run the command line; exits 2 with one sentence for anything a person can mend."""
    run_command(app, "neurogen")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"neurogen {version('neurogen')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Spiking networks that generate images and event-camera recordings."""


@app.command(epilog="Example: neurogen train tts_vqvae/digits train.steps=300 --out runs/digits")
def train(
    config: Annotated[str, typer.Argument(help="A name that `neurogen configs` lists, or a YAML file.")],
    overrides: Overrides = None,
    out: Annotated[Optional[Path], typer.Option(help="Folder of the run; else runs/<name>.")] = None,  # noqa: UP045
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Train a system; the run can be stopped and resumed bitwise."""
    from neurogen.config import load_config
    from neurogen.training import train_run
    from train import find_config

    out = out or Path("runs") / config.removesuffix(".yaml").replace("/", "-")
    settings, on_grid = load_config(find_config(config), overrides or ()), None
    if getattr(settings, "quantise", False):
        from train.grid import on_grid
    folder = train_run(settings, out, resume=resume, on_grid=on_grid)
    if "WORLD_SIZE" not in os.environ or os.environ.get("RANK") == "0":  # under torchrun one process speaks for all
        typer.echo(str(folder))


@app.command(epilog="Example: neurogen sample runs/demo/model --count 40 --out samples --to bin,aedat4,html")
def sample(
    model: ModelPath,
    out: Annotated[Path, typer.Option(help="New folder for the samples.")],
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    label: Annotated[Optional[str], typer.Option(help="Class name; otherwise drawn as in training.")] = None,  # noqa: UP045
    temperature: Annotated[float, typer.Option(help="Above 1 flattens, below 1 sharpens.")] = 1.0,
    top_k: Annotated[Optional[int], typer.Option(min=1, help="Only the k likeliest codes.")] = None,  # noqa: UP045
    top_p: Annotated[Optional[float], typer.Option(help="Only the likeliest codes that hold this probability.")] = None,  # noqa: UP045
    unfold: Annotated[bool, typer.Option("--unfold", help="Also lay the T frames side by side.")] = False,
    to: Annotated[
        str,
        typer.Option(
            help="Some of bin, aedat4, hdf5, aedat, gif, html, png, npz, with commas; empty: all but aedat, of images "
            "png and npz. For the first six images are filmed by a simulated camera."
        ),
    ] = "",
    device: Device = "auto",
) -> None:
    """Draw samples from a trained model and write them as a data set."""
    from neurogen.model import load
    from neurogen.progress import bar
    from neurogen.sampling import check_formats, check_free, write_samples
    from neurogen.training.device import choose_device
    from neurogen.training.distributed import processes, rank
    from neurogen.two_stage_model import TwoStageModel

    _tune()
    check_free(out)
    with processes(choose_device(device)) as own_device:
        leads, loaded = rank() == 0, load(model, str(own_device))
        formats = check_formats([name.strip() for name in to.split(",") if name.strip()], loaded.makes_recordings)
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        if not isinstance(loaded, TwoStageModel):
            options = refuse_options_of_codes(options, loaded.config.system)
        if leads and loaded.generates and not loaded.conditional:
            tell("neurogen", "this model knows no labels: those of its samples are drawn by chance and say nothing")
        index = label_index(loaded.classes, label)
        with bar("sampling", count if leads else None) as progress:
            samples = loaded.sample(count, index, seed, progress=progress, together=True, **options)
        if leads:  # under torchrun one process writes for all
            typer.echo(str(write_samples(samples, loaded, out, formats, seed, options, unfold)))


@app.command(epilog="Example: neurogen reconstruct runs/digits --count 16 --out reconstructed")
def reconstruct(
    model: ModelPath,
    out: Annotated[Path, typer.Option(help="New folder for pictures and recordings.")],
    count: Annotated[int, typer.Option(min=1, help="How many test items.")] = 16,
    data: Annotated[Optional[Path], typer.Option(help="Data to read instead of the model's own.")] = None,  # noqa: UP045
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Send test items through the first stage; write what came back and print how close it is."""
    from neurogen.model import load
    from neurogen.reconstruction import reconstruct_test_items
    from neurogen.training.device import choose_device
    from neurogen.training.distributed import processes, rank

    _tune()
    with processes(choose_device(device)) as own_device:
        figures = reconstruct_test_items(load(model, str(own_device)), out, count, data)
        if rank() == 0:
            _print_figures(figures, as_json)


@app.command(epilog="Example: neurogen evaluate runs/fashion-prior --metrics fad,reconstruction --json")
def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            help="A shipped model's name, a run or model folder, a folder of images or recordings, or baseline:NAME "
            "(mean, pca, blurred, noisy, real).",
            show_default=False,
        ),
    ],
    metrics: Annotated[str, typer.Option(help="Some sections, with commas; empty: all that fit.")] = "",
    protocol: Annotated[
        str, typer.Option(help="standard, fsvae or tts: counts, reference split, metrics.")
    ] = "standard",
    count: Annotated[Optional[int], typer.Option(min=1, help="How many samples; else the protocol's.")] = None,  # noqa: UP045
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    dataset: Annotated[Optional[str], typer.Option(help="Data set to compare with, for what is no model.")] = None,  # noqa: UP045
    data: Annotated[Optional[Path], typer.Option(help="Where that data set lies.")] = None,  # noqa: UP045
    extractor: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Published weights of the autoencoder distance: a .pth, or the folder of the release."),
    ] = None,
    inception: Annotated[Optional[Path], typer.Option(help="Inception weights of FID, IS, KID and PRC.")] = None,  # noqa: UP045
    out: Annotated[Optional[Path], typer.Option(help="New folder for evaluation.json and pictures.")] = None,  # noqa: UP045
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure samples and reconstructions against real data, with floors beside."""
    from neurogen.metrics.command import Request, run_evaluation

    _tune()
    request = Request(what, metrics, protocol, count, seed, dataset, data, extractor, inception, out, device)
    typer.echo(run_evaluation(request, as_json))


@app.command("export", epilog="Example: neurogen export runs/demo/model --to netx,nir --out decoder")
def export_command(
    model: ModelPath,
    out: Annotated[Path, typer.Option(help="New folder for the files and the report.")],
    to: Annotated[str, typer.Option(help="Some of netx, nir, with commas.")] = "netx,nir",
    part: Annotated[
        str,
        typer.Option(
            help="decoder (of a GAN its generator), encoder, or whole where nothing between is drawn or looked up."
        ),
    ] = "decoder",
    data: Annotated[Optional[Path], typer.Option(help="Data to read instead of the model's own.")] = None,  # noqa: UP045
    codes: Annotated[str, typer.Option(help="What takes the decoder's codes: host, or neurons on the chip.")] = "host",
    readout: Annotated[
        str, typer.Option(help="Where the last convolution and its sum run: host, or on the chip as membrane or sigma.")
    ] = "host",
    per_channel: Annotated[
        bool, typer.Option("--per-channel", help="A scale for each channel: closer, but needs a threshold for each.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a model, or half of it, for neuromorphic hardware, with a report that compares it spike by spike."""
    from export import Refusal
    from neurogen.exporting import ExportOptions, export_model, summary
    from neurogen.model import load

    _tune()
    options = ExportOptions(tuple(name.strip() for name in to.split(",")), part, codes, readout, per_channel)
    try:
        figures = export_model(load(model), out, data, options)
    except Refusal as refusal:
        tell("neurogen", f"the {part} cannot run on the chip, nothing was written; every layer that cannot:")
        typer.echo(str(refusal), err=True)
        raise typer.Exit(2) from None
    _print_figures(figures if as_json else summary(figures, out), as_json)


@app.command(epilog="Example: neurogen demo --data N-MNIST.zip")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo leaves.")] = Path("runs/demo"),
    data: Annotated[Optional[Path], typer.Option(help="Real N-MNIST: a folder or .zip.")] = None,  # noqa: UP045
    as_json: AsJson = False,
) -> None:
    """Handwritten digits to recordings, a spiking network trained on them, recordings that it invents, a report."""
    from neurogen.demo import run_demo
    from train import find_config

    _tune()
    figures = run_demo(out, find_config, data)
    _print_figures(figures, as_json)


def label_index(classes: tuple[str, ...], label: str | None) -> int | None:
    """The index of a class name (or of a number); raises ValueError with the names there are."""
    if label is None:
        return None
    if label in classes:
        return classes.index(label)
    if label.isdigit() and int(label) < len(classes):
        return int(label)
    raise ValueError(f"expected --label to be one of {', '.join(classes)}, got {label}")


def refuse_options_of_codes(options: dict[str, Any], system: str) -> dict[str, Any]:
    """No options; raises ValueError where one of those that say how codes are drawn was given to a system without."""
    for name, unset in {"temperature": 1.0, "top_k": None, "top_p": None}.items():
        if options[name] != unset:
            raise ValueError(
                f"expected no --{name.replace('_', '-')} for {system}, whose samples are not drawn code by code, got "
                f"{options[name]}; leave it out"
            )
    return {}


def _print_figures(figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        for key, value in figures.items():
            typer.echo(f"{key:<28} {value:.4g}" if isinstance(value, float) else f"{key:<28} {value}")


def _tune() -> None:
    from neurogen.neurons.allocator import tune_allocator

    tune_allocator()


cli_about.add_to(app)

if __name__ == "__main__":
    main()
