"""A system's configuration: its sections together, from a YAML file plus `section.key=value` overrides.

Strict models check it: an unknown key is refused with its dotted path and the nearest known name, a wrong value with
what was expected. The settings themselves stand in `config_data`, `config_networks` and `config_training`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ValidationError, model_validator

from neurogen.config_data import DataConfig, RecordingConfig
from neurogen.config_errors import sentence, shown
from neurogen.config_fsvae import FSVAEConfig
from neurogen.config_gan import GANConfig
from neurogen.config_networks import (
    CodebookConfig,
    GatedConfig,
    ModelConfig,
    NeuronConfig,
    PriorModelConfig,
    SpikingConfig,
)
from neurogen.config_sae import SAEConfig
from neurogen.config_section import Natural, Section, Seed
from neurogen.config_system import RECORDINGS, SystemConfig
from neurogen.config_training import LossConfig, TrainConfig
from neurogen.config_vae import VAEConfig
from neurogen.plain_yaml import parse_yaml, reason

__all__ = [
    "RECORDINGS",
    "SYSTEMS",
    "CodebookConfig",
    "Config",
    "ConfigError",
    "DataConfig",
    "FSVAEConfig",
    "GANConfig",
    "GatedConfig",
    "LossConfig",
    "ModelConfig",
    "NeuronConfig",
    "PriorConfig",
    "PriorModelConfig",
    "RecordingConfig",
    "SAEConfig",
    "SpikingConfig",
    "StageOneConfig",
    "TrainConfig",
    "VAEConfig",
    "dump_config",
    "load_config",
    "parse_config",
    "plain_settings",
]


class ConfigError(ValueError):
    """A configuration that cannot be used; the text is one sentence that says why and what to do."""


class StageOneConfig(SystemConfig):
    """A temporal-codebook VQ-VAE and how it is trained."""

    system: Literal["tts_vqvae"]
    """Which system this configures."""
    quantise: bool = False
    """Whether weights stay on a chip's 8-bit grid from the first step on, so that export loses nothing."""
    model: ModelConfig = ModelConfig()
    neurons: NeuronConfig = NeuronConfig()
    codebook: CodebookConfig = CodebookConfig()
    losses: LossConfig = LossConfig()

    @model_validator(mode="after")
    def _fits(self) -> StageOneConfig:
        halvings = (
            len(self.model.gated.multipliers) - 1 if self.model.kind == "gated" else len(self.model.spiking.widths)
        )
        size = self.data.resolution
        if size % 2**halvings:
            raise ValueError(
                f"data.resolution={size} cannot be halved {halvings} times; take a multiple of {2**halvings} "
                f"or a network with fewer levels"
            )
        if self.quantise and self.model.kind == "gated":
            raise ValueError(
                "quantise=true does not go with model.kind=gated, whose layers exchange real values that no chip "
                "takes; take model.kind=spiking or leave quantise out"
            )
        event = self.makes_recordings
        if event != (self.model.readout in ("step", "all")):
            raise ValueError(
                f"model.readout={self.model.readout} does not go with model.coding={self.model.coding}; "
                f"take {'step or all' if event else 'mean, sum, last or decay'}"
            )
        if self.losses.r1 and self.losses.discriminator_norm == "batch":
            raise ValueError(
                "losses.r1 does not go with losses.discriminator_norm=batch, through which an image's gradient reaches "
                "the others of its batch; take group or spectral, or leave r1 out"
            )
        if (self.losses.reconstruction == "poisson") != (self.model.output == "softplus"):
            raise ValueError("losses.reconstruction=poisson and model.output=softplus go together; set both or neither")
        if self.losses.reconstruction == "poisson" and self.data.scaling == "recording":
            raise ValueError("losses.reconstruction=poisson needs counts from 0 up; set data.scaling=dataset")
        return self


class PriorConfig(Section):
    """A spiking GPT over the codes of a first stage, and how it is trained."""

    system: Literal["prior"]
    """Which system this configures."""
    seed: Seed = 42
    """Seed of weights, data order and noise."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    first_stage: str | None = None
    """Run or model folder of the trained first stage."""
    data_path: str | None = None
    """Learn from these data, laid out as the first stage's own, in their place: simulated ones before real ones."""
    shift: Natural = 0
    """Augmentation: half of each batch takes codes of inputs shifted by up to so many pixels."""
    model: PriorModelConfig = PriorModelConfig()
    neurons: NeuronConfig = NeuronConfig()
    train: TrainConfig = TrainConfig()


Config = StageOneConfig | PriorConfig | FSVAEConfig | GANConfig | SAEConfig | VAEConfig
SYSTEMS: dict[str, type[SystemConfig] | type[PriorConfig]] = {
    "tts_vqvae": StageOneConfig,
    "prior": PriorConfig,
    "fsvae": FSVAEConfig,
    "vae": VAEConfig,
    "sgan": GANConfig,
    "swgan": GANConfig,
    "sgad": GANConfig,
    "sae": SAEConfig,
}


def load_config(path: str | Path, overrides: list[str] | tuple[str, ...] = ()) -> Config:
    """Read a YAML configuration and apply `section.key=value` overrides.

    Raises ConfigError (one sentence) for an unreadable file, an unknown key or a wrong value.
    """
    path = Path(path)
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected a YAML configuration, {reason(error)}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values (system: ..., data: ...), got {shown(values)}")
    for override in overrides:
        _apply(values, override)
    return parse_config(values, source=str(path))


def parse_config(values: dict[str, Any], source: str = "configuration") -> Config:
    """Check a dictionary of settings and return the configuration it describes; raises ConfigError."""
    system = values.get("system")
    if not isinstance(system, str) or system not in SYSTEMS:
        raise ConfigError(f"{source}: expected system to be one of {', '.join(SYSTEMS)}, got {shown(system)}")
    try:
        return SYSTEMS[system].model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {sentence(error, SYSTEMS[system])}") from None


def dump_config(config: Config) -> str:
    """The configuration as YAML that `load_config` reads back to an equal object."""
    return yaml.safe_dump(plain_settings(config), sort_keys=False)


def plain_settings(config: Config) -> dict[str, Any]:
    """The configuration as plain values, which system it is first."""
    return {"system": config.system, **config.model_dump(mode="json")}


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"expected section.key=value, got {override!r}")
    *sections, name = key.split(".")
    for depth, section in enumerate(sections, 1):
        if values.get(section) is None:
            values[section] = {}
        values = values[section]
        if not isinstance(values, dict):
            raise ConfigError(f"{key}: {section} is a value, not a section; set {'.'.join(sections[:depth])}=VALUE")
    try:
        values[name] = parse_yaml(text)
    except yaml.YAMLError:
        raise ConfigError(f"{key}: expected a value as YAML spells it, got {text!r}; quote it") from None
