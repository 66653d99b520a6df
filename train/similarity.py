"""How alike the layers of a trained network and neurons that someone recorded are, on the same stimuli.

    python -m train.similarity runs/fsvae-mnist FILE.npz [--json]

FILE.npz: stimuli (M, C, H, W) and responses (M, F) or (R, M, F), as neurogen/metrics/neural_recordings.py has them.
Layers are those of the encoder; of a GAN, which has none, those of the discriminator in the run's checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import neurogen
from neurogen.config import GANConfig
from neurogen.metrics.errors import MetricError
from neurogen.metrics.neural_recordings import compared, layer_rates, read_recordings
from neurogen.model import Model
from neurogen.models.discriminators import make_discriminator
from neurogen.training.checkpoint import load_newest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="run or model folder")
    parser.add_argument("file", help=".npz of stimuli and responses")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    options = parser.parse_args()
    try:
        found = measured(options.model, options.file)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    sys.stdout.write(json.dumps(found) + "\n" if options.json else table(found))


def measured(model: str, file: str) -> dict[str, object]:
    """Likeness of every layer, and the ceiling where responses were measured more than once.

    Raises ValueError: MetricError for a file, stimuli or model that do not fit, ModelFolderError.
    """
    data, loaded = read_recordings(file), neurogen.load(model)
    if loaded.makes_recordings:
        raise MetricError(f"expected a model of images, {model} is one of event recordings; take another")
    size = (loaded.config.data.channels, *[loaded.config.data.resolution] * 2)
    if tuple(data.stimuli.shape[1:]) != size:
        raise MetricError(
            f"expected stimuli {size} for this model, got {tuple(data.stimuli.shape[1:])}; bring them to that size"
        )
    ceiling = data.ceiling()
    return {
        "stimuli": len(data.stimuli),
        "neurons": data.repeats.shape[2],
        "layers": [
            dataclasses.asdict(each)
            for each in compared(layer_rates(*judging(loaded, model), data.stimuli), data.responses)
        ],
        "ceiling": None if ceiling is None else dataclasses.asdict(ceiling),
    }


def judging(model: Model, path: str) -> tuple[nn.Module, Callable[[Tensor], object]]:
    """What has the layers, and what passes images (N, C, H, W) through them; raises MetricError."""
    if not isinstance(model.config, GANConfig):
        return model.stored.network, model.encode
    if model.config.model.classes:
        raise MetricError(
            "expected a GAN without classes, whose discriminator asks for no label; train model.classes=0"
        )
    state = load_newest(Path(path)) if (Path(path) / "checkpoints").is_dir() else None
    if state is None:
        raise MetricError(
            f"expected the run of a GAN, whose checkpoint has a discriminator, {path} has none; name a run"
        )
    judge = make_discriminator(model.config)
    judge.load_state_dict(state["modules"]["discriminator"])
    judge.eval()
    return judge, lambda x: judge(judge.present(x))


def table(found: dict[str, object]) -> str:
    """Figures for a person."""
    lines = [f"{'layer':<32} {'RSA':>7} {'CKA':>7} {'debiased':>9}"]
    for layer in found["layers"]:  # type: ignore[attr-defined]
        figures = ["-" if layer[name] is None else f"{layer[name]:.3f}" for name in ("rsa", "cka", "cka_debiased")]
        lines.append(f"{layer['layer']:<32} {figures[0]:>7} {figures[1]:>7} {figures[2]:>9}")
    if found["ceiling"] is not None:
        lines.append("noise ceiling of RSA: {lower:.3f} to {upper:.3f}".format(**found["ceiling"]))  # type: ignore[arg-type]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
