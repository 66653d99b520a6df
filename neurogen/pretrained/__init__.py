"""What ships with neurogen, a folder here each, found by its name.

    <data>-tiny/         a model that samples: config.yaml, weights.safetensors, README.md, figures.json, losses.csv
    <data>-classifier/   the network that reads the class of an image or a recording
    <data>-extractor/    the network in whose features images are compared
    <model>-decoder/     a model's decoder for chips: decoder.net, decoder.net.json, decoder.nir

README.md is the card: a title, one sentence that says what it is, then lines "- key: value". Needs no torch.
"""

from __future__ import annotations

import dataclasses
import difflib
from pathlib import Path

HERE = Path(__file__).parent
PARTS = ("-classifier", "-extractor", "-decoder")  # ends of the names of what is no model that samples


@dataclasses.dataclass(frozen=True)
class Shipped:
    """One entry of the list. what: a sentence; size: bytes of all files; figures: the main ones, as its card says them;
    licence: of the data it learnt from."""

    name: str
    what: str
    size: int
    figures: str
    licence: str


def names() -> tuple[str, ...]:
    """Everything that ships, sorted."""
    return tuple(sorted(folder.name for folder in HERE.iterdir() if (folder / "README.md").is_file()))


def model_names() -> tuple[str, ...]:
    """The models that sample, sorted."""
    return tuple(name for name in names() if not name.endswith(PARTS))


def find(name: str | Path) -> Path | None:
    """The folder of what ships under this name, None where there is none or the name is a path.

    A path is what has a separator (./mnist-tiny), and whatever is there: a file or folder of that name in the working
    directory goes before what ships.
    """
    return HERE / str(name) if is_name(name) and str(name) in names() else None


def is_name(name: str | Path) -> bool:
    """Whether this can only mean something that ships: no separator, and nothing of that name where we are."""
    return str(name) not in ("", ".", "..") and str(name) == Path(name).name and not Path(name).exists()


def unknown(name: str, known: tuple[str, ...]) -> str:
    """The end of a sentence about a name that does not ship: the nearest one that does, and all of them."""
    if not known:
        return f"got {name}"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"got {name}; {hint}These ship: {', '.join(known)}"


def listing() -> tuple[Shipped, ...]:
    """What `neurogen models` prints."""
    return tuple(_described(HERE / name) for name in names())


def _described(folder: Path) -> Shipped:
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if line and not line.startswith(("#", "- "))]
    facts = dict(line[2:].split(": ", 1) for line in lines if line.startswith("- ") and ": " in line)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Shipped(folder.name, said[0] if said else "", size, facts.get("figures", ""), facts.get("data licence", ""))
