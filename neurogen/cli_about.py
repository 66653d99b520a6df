"""Commands that look and list: plot, info, configs, models, doctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from event_tools.command import tell
from neurogen.cli_options import AsJson, ModelPath, Overrides


def add_to(app: typer.Typer) -> None:
    """Make them commands of `app`."""
    for command, example in (
        (plot, "neurogen plot runs/digits"),
        (info, "neurogen info tts_vqvae/nmnist --json"),
        (configs, "neurogen configs"),
        (models, "neurogen models --json"),
        (doctor, "neurogen doctor --json"),
    ):
        app.command(epilog=f"Example: {example}")(command)


def plot(
    model: ModelPath,
    out: Annotated[Optional[Path], typer.Option(help="Folder for the pictures; else RUN/pictures.")] = None,  # noqa: UP045
    data: Annotated[Optional[Path], typer.Option(help="Data to read instead of the model's own.")] = None,  # noqa: UP045
) -> None:
    """Draw a run's losses, and a model's codes, time cells, membranes and firing rates."""
    from neurogen.plots.command import plot_all

    for path in plot_all(model, out, data, lambda said: tell("neurogen", said)):
        typer.echo(str(path))


def info(
    what: Annotated[str, typer.Argument(help="A configuration, a shipped model's name, a run or a model folder.")],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Count parameters and print all settings; needs no data, first stage or GPU."""
    from neurogen import pretrained
    from neurogen.description import describe
    from train import find_config

    trained = Path(what).is_dir() or pretrained.find(what) is not None
    description = describe(what if trained else find_config(what), overrides or ())
    if as_json:
        typer.echo(json.dumps(description))
        return
    for part, number in description["parameters"].items():
        typer.echo(f"{part:<10} {number:>12,} parameters")
    import yaml

    typer.echo(yaml.safe_dump(description["config"], sort_keys=False), nl=False)


def configs() -> None:
    """List the configurations that `train` and `info` know by name."""
    from train import config_names

    for name in config_names():
        typer.echo(name)


def models(as_json: AsJson = False) -> None:
    """List what ships: models that sample, classifiers, extractors, decoders for chips."""
    import dataclasses

    from neurogen import pretrained

    shipped = pretrained.listing()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(one) for one in shipped]))
        return
    for one in shipped:
        typer.echo(f"{one.name:<20} {one.size / 1e6:4.1f} MB  {one.what}")
        for line in (one.figures, f"data: {one.licence}" if one.licence else ""):
            if line:
                typer.echo(f"{'':<30}{line}")


def doctor(as_json: AsJson = False) -> None:
    """What this machine has, which backend each neuron will use, and why not the others."""
    from neurogen.doctor import examine

    report = examine()
    typer.echo(report.to_json() if as_json else report.to_text())
