"""Pack a finished prior's run, first stage included, as a model that ships.

    python -m train.pack runs/mnist-tiny-prior --name mnist-tiny --card "wall time=2 h, 40 min" \\
        --figures evaluation.json --short fad-paper.generated="autoencoder distance (paper mode)"

writes neurogen/pretrained/<name>/, which is replaced: weights.safetensors (the prior's as float16 where the folder
would pass 5 MB; the first stage's stay float32, for a spike is a threshold), config.yaml, figures.json (each --figures
file, which must measure these very weights), README.md (the card), and losses.json where it was recorded for the same
weights (`train.first_losses`). So: pack, evaluate the packed folder, record the losses, pack again with the figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load, save

from neurogen import pretrained
from neurogen.model_card import DATA_LICENCES
from neurogen.model_folder import StoredModel, load_model, save_model, settings_digest
from train.card import card, command, portable, without_paths
from train.first_losses import FILE as LOSSES
from train.hardware import cpu_name

LARGEST = 5_000_000  # bytes of a folder
CARDS = 200_000  # of these for what is no weight


class PackError(ValueError):
    """What cannot ship; the text is one sentence."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a finished prior's run, or a model folder")
    parser.add_argument("--name", required=True, help="of the model and of its configurations")
    parser.add_argument("--card", action="append", default=[], metavar="KEY=VALUE", help="a line of the card")
    parser.add_argument("--before", action="append", default=[], help="a command that came before the two of training")
    parser.add_argument("--figures", action="append", default=[], type=Path, help="JSON of neurogen evaluate")
    parser.add_argument("--short", action="append", default=[], metavar="SECTION.KEY=LABEL", help="a main figure")
    parser.add_argument("--out", type=Path, default=pretrained.HERE, help="where the folder goes")
    options = parser.parse_args(arguments)
    try:
        facts = dict(_pair(line) for line in options.card)
        figures = [json.loads(path.read_text(encoding="utf-8")) for path in options.figures]
        short = dict(_pair(line) for line in options.short)
        print(pack(options.run, options.name, options.out, facts, options.before, figures, short))
    except (ValueError, OSError) as error:
        parser.exit(2, f"train.pack: {error}\n")


def pack(
    run: str | Path,
    name: str,
    out: Path,
    facts: dict[str, str],
    before: Sequence[str] = (),
    figures: Sequence[dict[str, Any]] = (),
    short: dict[str, str] | None = None,
) -> Path:
    """Write the folder out/name and return it.

    facts: lines of the card; before: commands that the two of training need; figures: of `neurogen evaluate`; short:
    SECTION.KEY of a figure -> what the list of models calls it. Raises PackError, ModelFolderError, ConfigError.
    """
    stored = load_model(run)
    if stored.prior is None or stored.prior_config is None:
        raise PackError(f"expected the run of a prior, {run} is a first stage alone; train prior/{name} on it")
    commands = [*before, command(stored.config, name), command(stored.prior_config, name)]
    with tempfile.TemporaryDirectory(dir=out) as room:
        folder = save_model(
            Path(room) / name,
            config=portable(stored.config),
            network=stored.network,
            scaling=stored.scaling,
            data_info=stored.data_info,
            prior_config=portable(stored.prior_config),
            prior=stored.prior,
            background=stored.background,
        )
        weights, precision = _packed((folder / "weights.safetensors").read_bytes())
        sha256 = hashlib.sha256(weights).hexdigest()
        _check_figures(figures, sha256)
        figures = without_paths(list(figures))
        description = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        main_figures = {"figures": main_line(figures, short)} if short else {}
        description |= {"sha256": sha256, "card": main_figures | _facts(stored, precision) | facts}
        description["settings_sha256"] = settings_digest(description)
        (folder / "weights.safetensors").write_bytes(weights)
        (folder / "config.yaml").write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")
        (folder / "README.md").write_text(card(name, description, commands, figures), encoding="utf-8")
        if figures:
            (folder / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        _keep_losses(out / name, folder, sha256)
        size = sum(path.stat().st_size for path in folder.iterdir())
        if size >= LARGEST:
            raise PackError(f"expected {name} below {LARGEST / 1e6:.0f} MB, got {size / 1e6:.2f}; train a smaller one")
        shutil.rmtree(out / name, ignore_errors=True)
        os.replace(folder, out / name)
    return out / name


def main_line(figures: Sequence[dict[str, Any]], short: dict[str, str]) -> str:
    """The main figures in a line; raises PackError for one that nobody measured."""
    said = []
    for path, label in short.items():
        section, _, key = path.partition(".")
        found = [one[section][key] for one in figures if key in one.get(section, {})]
        if not found:
            raise PackError(f"expected the figure {path} in the files of --figures, it is in none of them")
        said.append(f"{label} {found[0]:.4g}" if isinstance(found[0], float) else f"{label} {found[0]}")
    return ", ".join(said)


def _facts(stored: StoredModel, precision: str) -> dict[str, Any]:
    prior, info, data = stored.prior, stored.data_info, stored.config.data.name
    assert prior is not None and stored.prior_config is not None
    sizes = [sum(p.numel() for p in part.parameters()) for part in (stored.network, prior)]
    return {
        "parameters": f"{sizes[0]:,} of the first stage, {sizes[1]:,} of the prior",
        "data": f"{data}, {sum(info.label_counts):,} training items, {len(info.classes)} classes",
        "data licence": DATA_LICENCES.get(data, "that of the data"),
        "code licence": "Apache-2.0",
        "training": "; ".join(
            f"{part}: {config.train.steps:,} steps of {config.train.batch_size}, seed {config.seed}"
            for part, config in (("first stage", stored.config), ("prior", stored.prior_config))
        ),
        "hardware": f"{cpu_name()}, torch {torch.__version__}",
        "weights": precision,
        **stored.card,
    }


def _packed(weights: bytes) -> tuple[bytes, str]:
    """Weights that fit, and in which precision they are."""
    if len(weights) + CARDS < LARGEST:
        return weights, "float32"
    tensors = load(weights)
    half = {k: t.half() if k.startswith("prior.") and t.is_floating_point() else t for k, t in tensors.items()}
    if not all(tensor.isfinite().all() for tensor in half.values()):
        raise PackError("expected a prior whose weights float16 can hold, some are above 65504; clip while training")
    return save(half), "first stage float32, prior float16"


def _check_figures(figures: Sequence[dict[str, Any]], sha256: str) -> None:
    for one in figures:
        if (measured := str(one.get("model_sha256"))) != sha256:
            raise PackError(
                f"expected figures of the packed weights ({sha256[:12]}...), these are of {measured[:12]}...; "
                "pack without figures, then evaluate that folder"
            )


def _keep_losses(before: Path, folder: Path, sha256: str) -> None:
    """losses.json of the folder that is replaced, where its weights were these."""
    if (before / LOSSES).is_file() and f"sha256: {sha256}" in (before / "config.yaml").read_text(encoding="utf-8"):
        shutil.copy(before / LOSSES, folder / LOSSES)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise PackError(f"expected KEY=VALUE, got {text!r}")
    return key, value


if __name__ == "__main__":
    main()
