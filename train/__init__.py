"""Training scripts and the configurations that they run."""

from __future__ import annotations

import difflib
from pathlib import Path

CONFIGS = Path(__file__).parent / "configs"


def config_names() -> list[str]:
    """Every configuration by name, such as tts_vqvae/digits."""
    return sorted(path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.glob("*/*.yaml"))


def find_config(name: str) -> Path:
    """The file of a configuration: a path, or a name that `config_names` lists; raises ValueError with the nearest."""
    for path in (Path(name), CONFIGS / f"{name}.yaml"):
        if path.is_file():
            return path
    near = difflib.get_close_matches(name, config_names(), n=1)
    hint = f"did you mean {near[0]}?" if near else "give one of those names or a file"
    raise ValueError(f"expected a YAML file or a configuration that `neurogen configs` lists, got {name}; {hint}")
