"""What a configuration or a model folder is: its settings and its parameter counts, built on `meta`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from neurogen import pretrained
from neurogen.config import Config, ConfigError, PriorConfig, StageOneConfig, load_config
from neurogen.model_folder import find_model, load_model, part_name
from neurogen.models.making import make_network
from neurogen.models.prior import SpikingPrior
from neurogen.models.size import parameter_counts
from neurogen.models.tts_vqvae import TTSVQVAE


def describe(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """{"parameters": {part: int, ..., "total": int}, "config": settings} of a configuration's file, a model folder, a
    run, or what ships under this name; raises ConfigError or ModelFolderError."""
    if Path(path).is_dir() or pretrained.find(path) is not None:
        if overrides:
            raise ConfigError(
                f"expected no settings beside {path}, which is trained, got {overrides[0]}; leave them out"
            )
        return _describe_model(find_model(path))
    config = load_config(path, tuple(overrides))
    return {"parameters": parameter_counts(build_on_meta(config)), "config": config.model_dump(mode="json")}


def build_on_meta(config: Config) -> nn.Module:
    """The network of a configuration without memory for its weights."""
    with torch.device("meta"):
        if isinstance(config, StageOneConfig):
            return TTSVQVAE(config)
        if isinstance(config, PriorConfig):
            return SpikingPrior(config.model, config.neurons)
        return make_network(config)


def _describe_model(folder: Path) -> dict[str, Any]:
    stored = load_model(folder)
    counts = parameter_counts(stored.network)
    if stored.prior is not None:
        prior = parameter_counts(stored.prior)["prior"]
        counts |= {"prior": prior, "total": counts["total"] + prior}
    config = {
        part_name(stored.config): stored.config.model_dump(mode="json"),
        "prior": None if stored.prior_config is None else stored.prior_config.model_dump(mode="json"),
        "card": stored.card,
    }
    return {"parameters": counts, "config": config}
