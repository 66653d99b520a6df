"""A model folder: everything needed to sample, and nothing that runs code.

    config.yaml           settings of both stages or of the one network, scaling, bin edges, rate curve, label counts,
                          sha256 of the weights (of what ships also its own)
    weights.safetensors   tensors "first_stage.*" and, where there is a prior, "prior.*" (float32 or float16);
                          "network.*" of a system of one network
                          "background.*" of recordings with recording.background
    README.md             card: data, steps, seed, measured figures, licence

Files are written beside and renamed; the weights' checksum is verified on loading.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from event_tools.atomic import replacing
from neurogen import pretrained
from neurogen.config import ConfigError, PriorConfig, StageOneConfig, parse_config
from neurogen.config_system import SystemConfig
from neurogen.model_card import model_card

if TYPE_CHECKING:
    from torch import Tensor, nn

    from neurogen.background import Background
    from neurogen.data.scaling import Scaling
    from neurogen.models.prior import SpikingPrior

FORMAT = 1
BACKGROUND = {"bins": "background.bins", "pixels": "background.pixels"}  # its arrays among the weights


class ModelFolderError(ValueError):
    """A model folder that cannot be used; the text is one sentence."""


@dataclasses.dataclass(frozen=True)
class DataInfo:
    """What sampling has to know of the training data.

    classes: names, one per label; label_counts: training items of each label; sensor_size: (width, height) of
    recordings or None for images; edges: the T + 1 bin edges in microseconds of a typical recording; profile: its rate
    curve (`RateCurve.to_dict()`); event_counts: median events of a recording of each label.
    """

    classes: tuple[str, ...]
    label_counts: tuple[int, ...]
    sensor_size: tuple[int, int] | None = None
    edges: tuple[int, ...] | None = None
    profile: dict[str, Any] | None = None
    event_counts: tuple[float, ...] | None = None


@dataclasses.dataclass(frozen=True)
class StoredModel:
    """The parts of a model folder, on the CPU and in eval mode.

    config, network: of a first stage (`TTSVQVAE`), which may have a prior, or of a system of one network
    (`LatentNetwork`), which has none.
    """

    config: SystemConfig
    network: Any
    scaling: Scaling | None
    data_info: DataInfo
    prior_config: PriorConfig | None
    prior: SpikingPrior | None
    card: dict[str, Any]
    sha256: str
    background: Background | None = None


def save_model(
    folder: str | Path,
    *,
    config: SystemConfig,
    network: nn.Module,
    scaling: Scaling | None,
    data_info: DataInfo,
    prior_config: PriorConfig | None = None,
    prior: nn.Module | None = None,
    card: dict[str, Any] | None = None,
    background: Background | None = None,
) -> Path:
    """Write a model folder and return its path; an existing one is replaced file by file, its description last.

    card: plain values (numbers, strings) shown in README.md: steps, seed, measured figures.
    """
    import torch
    from safetensors.torch import save

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    part = part_name(config)
    tensors = _named(part, network) | (_named("prior", prior) if prior is not None else {})
    if background is not None:
        tensors |= {name: torch.from_numpy(getattr(background, part)) for part, name in BACKGROUND.items()}
    weights = save(tensors)
    description = {
        "format": FORMAT,
        "sha256": hashlib.sha256(weights).hexdigest(),
        part: config.model_dump(mode="json"),
        "prior": None if prior_config is None else prior_config.model_dump(mode="json"),
        "scaling": None if scaling is None else scaling.to_dict(),
        "data": _plain(dataclasses.asdict(data_info)),
        "card": _plain(card or {}),
    }
    _write(folder / "weights.safetensors", weights)
    _write(folder / "README.md", model_card(description).encode())
    _write(folder / "config.yaml", yaml.safe_dump(description, sort_keys=False).encode())
    return folder


def find_model(path: str | Path) -> Path:
    """The model folder at `path`, in the run at `path`, or that ships under this name (`pretrained.find`).

    What is there goes before what ships. Raises ModelFolderError.
    """
    known = pretrained.model_names()
    if pretrained.is_name(path) and str(path) not in known:
        raise ModelFolderError(
            f"expected a run, a model folder or the name of a model that samples, "
            f"{pretrained.unknown(str(path), known)}; others are trained with `neurogen train`"
        )
    path = pretrained.find(path) or Path(path)
    for folder in (path, path / "model"):
        if (folder / "weights.safetensors").is_file() and (folder / "config.yaml").is_file():
            return folder
        if _is_description(folder / "config.yaml"):
            raise ModelFolderError(
                f"expected weights.safetensors beside {folder / 'config.yaml'}, it is missing; take a fresh copy"
            )
    if not path.exists():
        raise ModelFolderError(
            f"expected a run or model folder at {path}, found nothing; train one with `neurogen train`"
        )
    if (path / "config.yaml").is_file():
        raise ModelFolderError(f"{path} is a run that has not finished; finish it with `neurogen train ... --resume`")
    hides = f"; rename it to mean the {path.name} that ships" if str(path) in known else ""
    raise ModelFolderError(
        f"expected a run or model folder at {path}, found no config.yaml with weights.safetensors{hides}"
    )


def load_model(path: str | Path) -> StoredModel:
    """Read a model folder (or the one in a run) and check its weights; raises ModelFolderError."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    from neurogen.data.scaling import Scaling
    from neurogen.models.prior import SpikingPrior

    folder = find_model(path)
    description = _description(folder)
    weights = (folder / "weights.safetensors").read_bytes()
    sha256 = hashlib.sha256(weights).hexdigest()
    if sha256 != description["sha256"]:
        raise ModelFolderError(
            f"expected {folder / 'weights.safetensors'} with sha256 {description['sha256'][:12]}..., it has "
            f"{sha256[:12]}...; the folder was altered or cut short, take a fresh copy"
        )
    try:
        tensors = load(weights)
        part = "first_stage" if "first_stage" in description else "network"
        config = _settings(description[part], folder)
        prior_config = description["prior"] and _settings(description["prior"], folder)
        network = _filled(_fresh(config), part, tensors, folder)
        prior = prior_config and _filled(
            SpikingPrior(prior_config.model, prior_config.neurons), "prior", tensors, folder
        )
        scaling = None if description["scaling"] is None else Scaling.from_dict(description["scaling"])
        data_info = _data_info(description["data"])
        background = _background(tensors, config, folder)
    except (SafetensorError, ConfigError, KeyError, TypeError) as error:
        raise ModelFolderError(f"{folder} is not a model folder of this version: {error}") from error
    card, sha256 = description["card"], description["sha256"]
    return StoredModel(config, network, scaling, data_info, prior_config, prior, card, sha256, background)


def mismatch(error: Exception) -> str:
    """The first difference that torch's load_state_dict names, short enough for a sentence."""
    lines = [line.strip() for line in str(error).splitlines()] or [type(error).__name__]
    text = lines[min(1, len(lines) - 1)].split(": copying")[0].rstrip(" .")
    return text if len(text) <= 100 else f"{text[:97]}..."


def settings_digest(description: dict[str, Any]) -> str:
    """sha256 of all that a description says but for this itself, which what ships carries as `settings_sha256`."""
    said = {key: value for key, value in description.items() if key != "settings_sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _is_description(path: Path) -> bool:
    """Whether a config.yaml is a model's, not a run's."""
    return path.is_file() and b"\nsha256: " in path.read_bytes()


def _description(folder: Path) -> dict[str, Any]:
    try:
        description = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        if description["format"] != FORMAT:
            raise ModelFolderError(
                f"{folder} has format {description['format']}, this neurogen reads {FORMAT}; update it"
            )
        for key in ("sha256", "prior", "scaling", "data", "card"):
            description[key]
        if description.get("settings_sha256", own := settings_digest(description)) != own:
            raise ModelFolderError(
                f"expected {folder / 'config.yaml'} as it ships, it was edited; take a fresh copy, or a run of your own"
            )
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ModelFolderError(
            f"{folder / 'config.yaml'}: expected a model's description, cannot read it ({error!r})"
        ) from error
    return description


def _settings(values: dict[str, Any], folder: Path) -> Any:
    """A stage's configuration. A backend that is for one kind of device gives way to `auto`, which has equal spikes."""
    config = parse_config(values, source=str(folder))
    neurons = getattr(config, "neurons", None)  # a twin without spikes has none
    if neurons is None or neurons.backend not in ("torch", "cupy"):
        return config
    return config.model_copy(update={"neurons": neurons.model_copy(update={"backend": "auto"})})


def part_name(config: SystemConfig) -> str:
    """What a folder calls the network of a system, beside which a prior may stand."""
    return "first_stage" if isinstance(config, StageOneConfig) else "network"


def _fresh(config: SystemConfig) -> nn.Module:
    from neurogen.models.making import make_network
    from neurogen.models.tts_vqvae import TTSVQVAE

    return TTSVQVAE(config) if isinstance(config, StageOneConfig) else make_network(config)


def _named(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}


def _filled(module: Any, prefix: str, tensors: dict[str, Tensor], folder: Path) -> Any:
    own = {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}
    try:
        module.load_state_dict(own, strict=True)
    except RuntimeError as error:
        raise ModelFolderError(f"{folder}: the weights are of another network: {mismatch(error)}") from error
    return module.eval()


def _background(tensors: dict[str, Tensor], config: SystemConfig, folder: Path) -> Background | None:
    """The map of the background, where the folder has one."""
    from neurogen.background import Background

    there = {part: tensors[name].numpy() for part, name in BACKGROUND.items() if name in tensors}
    if len(there) == len(BACKGROUND):
        return Background(**there)
    if config.recording.background and config.makes_recordings:
        raise ModelFolderError(
            f"{folder}: expected {' and '.join(BACKGROUND.values())} among the weights for recording.background=true, "
            f"found none; set it to false, or train the first stage with it"
        )
    return None


def _data_info(values: dict[str, Any]) -> DataInfo:
    tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return DataInfo(**tuples)


def _plain(value: Any) -> Any:
    """Tuples to lists and numpy or torch scalars to Python's, so that YAML stays plain."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)
