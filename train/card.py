"""The card of a model that ships: README.md, and the commands that made it.

A title, one sentence, lines "- key: value" (`neurogen.pretrained` reads these), then commands, all figures and all
settings. What stood in absolute paths on the machine that trained is left out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from neurogen.config import Config, StageOneConfig, load_config
from train import find_config

SYSTEMS = {"first_stage": "tts_vqvae", "prior": "prior"}
NOT_SAID = {"data.path", "data.download", "data_path", "first_stage", "device"}  # by a command: the machine's own
ABSOLUTE = re.compile(r"(?<![\w./])(?:/[\w.@+-]+){2,}")


def portable(config: Config) -> Config:
    """A configuration without the paths of the machine it ran on; a run that it started from keeps its name."""
    start = config.train.init_from
    train = config.train.model_copy(update={"init_from": None if start is None else f"runs/{_run_name(start)}"})
    if not isinstance(config, StageOneConfig):
        return config.model_copy(update={"first_stage": None, "data_path": None, "train": train})
    data = config.data.model_copy(update={"path": None, "download": False})
    losses = config.losses.model_copy(update={"vgg_path": None, "lpips_path": None})
    return config.model_copy(update={"data": data, "losses": losses, "train": train})


def command(config: Config, name: str) -> str:
    """What trains a stage: the configuration called as the model is, and each setting that differs from it."""
    system = f"{config.system}/{name}"
    written = _flat(load_config(find_config(system)).model_dump(mode="json"))
    used = _flat(portable(config).model_dump(mode="json"))
    given = [f"{key}={_value(value)}" for key, value in used.items() if written[key] != value and key not in NOT_SAID]
    first = [] if isinstance(config, StageOneConfig) else [f"first_stage=runs/{name}"]
    run = name if isinstance(config, StageOneConfig) else f"{name}-prior"
    return " ".join(["neurogen train", system, *first, *given, f"--out runs/{run}"])


def card(name: str, description: dict[str, Any], commands: list[str], figures: list[dict[str, Any]]) -> str:
    """The text of README.md. description: of config.yaml; figures: what `neurogen evaluate --json` printed."""
    facts = [f"- {key}: {value}" for key, value in description["card"].items()]
    sampled = [f"neurogen sample {name} --count 64 --to gif,html,aedat4,png --out samples"]
    lines = [f"# {name}", "", what(description), "", *facts, "", "## Made by", "", *_block(commands), ""]
    lines += [
        "## Use",
        "",
        *_block(sampled),
        "",
        *_block(["import neurogen", "", f'samples = neurogen.load("{name}").sample(16)'], "python"),
        "",
    ]
    for one in figures:
        lines += _measured(name, one)
    settings = {key: description[key] for key in SYSTEMS}
    lines += ["## Settings", "", *_block([yaml.safe_dump(settings, sort_keys=False).rstrip()], "yaml"), ""]
    return "\n".join(lines)


def what(description: dict[str, Any]) -> str:
    """The sentence that says what the model is."""
    first, prior, data = description["first_stage"], description["prior"], description["data"]
    size, sensor = first["data"]["resolution"], data["sensor_size"]
    made = f"images of {size}x{size} pixels" if sensor is None else f"recordings of {sensor[0]}x{sensor[1]} pixels"
    kind = "strictly spiking" if first["model"]["kind"] == "spiking" else "spiking, with real-valued gates"
    chosen = ", class by class" if prior["model"]["classes"] else ""
    return (
        f"Makes {made} as in {first['data']['name']}{chosen}: a VQ-VAE ({kind}, {first['model']['steps']} time steps) "
        f"and a spiking transformer prior over its codes."
    )


def without_paths(value: Any) -> Any:
    """Figures with absolute paths cut to their last name."""
    if isinstance(value, dict):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    return ABSOLUTE.sub(lambda found: Path(found.group()).name, value) if isinstance(value, str) else value


def _measured(name: str, figures: dict[str, Any]) -> list[str]:
    heading = {key: value for key, value in figures.items() if not isinstance(value, dict)}
    asked = f"--protocol {heading.get('protocol')} --seed {heading.get('seed')}"
    lines = ["## Figures", "", *_block([f"neurogen evaluate {name} {asked} --json"]), ""]
    lines += [f"{', '.join(f'{key} {value}' for key, value in heading.items() if key != 'what')}.", ""]
    for section, values in figures.items():
        if isinstance(values, dict):
            rows = [f"| {key} | {_shown(value)} |" for key, value in _flat(values).items()]
            lines += [f"| {section} | |", "|---|---|", *rows, ""]
    return lines


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _run_name(path: str) -> str:
    """Of a run, or of the model folder in one."""
    return Path(path).parent.name if Path(path).name == "model" else Path(path).name


def _value(value: Any) -> str:
    text = json.dumps(value)
    return f"'{text}'" if " " in text else text.strip('"')


def _shown(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def _block(lines: list[str], language: str = "") -> list[str]:
    return [f"```{language}", *lines, "```"]
