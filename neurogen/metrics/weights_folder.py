"""A judge's folder: weights of a network that scores samples, and nothing that runs code.

    config.yaml           kind (classifier, extractor), what the network is, what it measured, sha256 of the weights
    weights.safetensors   its tensors
    README.md             card: command, seed, wall time, hardware, data licence, measured figures

Files are written beside and renamed, the description last; the checksum is verified on loading.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor, nn

from event_tools.atomic import replacing
from neurogen.metrics.errors import MetricError

FORMAT = 1


def write_weights(folder: str | Path, kind: str, description: dict[str, Any], tensors: dict[str, Tensor]) -> Path:
    """Write config.yaml and weights.safetensors and return the folder; the card is `write_card`'s."""
    from safetensors.torch import save

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    head = {"format": FORMAT, "kind": kind, "sha256": hashlib.sha256(weights).hexdigest()}
    _write(folder / "weights.safetensors", weights)
    _write(folder / "config.yaml", yaml.safe_dump(head | description, sort_keys=False).encode())
    return folder


def write_card(folder: Path, title: str, paragraphs: list[str], facts: dict[str, Any]) -> None:
    """README.md: a title, paragraphs, then one line a fact."""
    lines = [f"# {title}", "", *(line for text in paragraphs for line in (text, ""))]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    _write(folder / "README.md", ("\n".join(lines) + "\n").encode())


def read_weights(folder: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """(description, tensors) of a folder of this kind; raises MetricError for a missing, altered or other one."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    folder = Path(folder)
    try:
        description = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        weights = (folder / "weights.safetensors").read_bytes()
        found, stated = description["kind"], (description["format"], description["sha256"])
    except OSError as error:
        raise MetricError(f"{folder}: expected a folder of kind {kind}, {error.strerror}; name another") from None
    except (UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        raise MetricError(
            f"{folder / 'config.yaml'}: expected a description of kind {kind}; take a fresh copy"
        ) from None
    if found != kind:
        raise MetricError(f"{folder}: expected weights of kind {kind}, got {found}; name another folder")
    if stated != (FORMAT, sha256 := hashlib.sha256(weights).hexdigest()):
        raise MetricError(
            f"{folder}: expected format {FORMAT} and weights with sha256 {str(stated[1])[:12]}..., got format "
            f"{stated[0]} and {sha256[:12]}...; the folder was altered or cut short, take a fresh copy"
        )
    try:
        return description, load(weights)
    except SafetensorError:
        raise MetricError(f"{folder}: expected weights as safetensors, got something else; take a fresh copy") from None


def fill(network: nn.Module, tensors: dict[str, Tensor], folder: str | Path) -> nn.Module:
    """The network with these tensors (cast to its own type), in eval mode; raises MetricError for another's."""
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        raise MetricError(f"{folder}: the weights are of another network; take a fresh copy") from None
    return network.eval()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)
