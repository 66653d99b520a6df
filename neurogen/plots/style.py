"""What all pictures share: the player's colours, a dark ground, and figures without pyplot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from event_tools.atomic import replacing
from event_tools.viewer.colours import colours

LOOK = colours()  # the player's
ON, OFF, GROUND, INK = LOOK.on, LOOK.off, LOOK.page, LOOK.text
DARK = {
    "figure.facecolor": GROUND,
    "savefig.facecolor": GROUND,
    "axes.facecolor": GROUND,
    "axes.edgecolor": LOOK.pale,
    "axes.labelcolor": LOOK.pale,
    "text.color": INK,
    "xtick.color": LOOK.pale,
    "ytick.color": LOOK.pale,
}


@contextmanager
def dark() -> Iterator[None]:
    """Figures made and saved inside have the report's dark ground."""
    import matplotlib

    with matplotlib.rc_context(DARK):
        yield


def blank(width: float, height: float) -> Any:
    """A figure of so many inches without axes."""
    from matplotlib.figure import Figure  # without pyplot, which keeps figures and picks a window system

    return Figure(figsize=(width, height), layout="constrained")


def figure(columns: int, lines: int, width: float = 3.6, height: float = 2.7) -> tuple[Any, list[Any]]:
    """A figure of lines x columns panels of that size in inches, and its axes, row by row."""
    made = blank(width * columns, height * lines)
    axes = made.subplots(lines, columns, squeeze=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    return made, list(axes.flat)


def bare(axis: Any) -> None:
    """Take away all that frames a panel."""
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def diverging() -> Any:
    """Colours from OFF over the ground to ON."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("events", [OFF, GROUND, ON])


def rising() -> Any:
    """Colours from the ground over ON to white."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("spikes", [LOOK.ground, ON, "#ffffff"])


def shade(place: float) -> Any:
    """A colour at `place`, 0 to 1, of a scale that stays visible on both grounds."""
    import matplotlib

    return matplotlib.colormaps["viridis"](0.9 * place)


def layer_name(name: str) -> str:
    """A neuron layer's name without the word that all of them end in."""
    return name.removesuffix(".neuron")


def write_figures(figures: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write FOLDER/NAME.png of each figure that is not None; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, made in figures.items():
        if made is not None:
            paths.append(folder / f"{name}.png")
            with replacing(paths[-1]) as temporary:
                made.savefig(temporary, dpi=120, bbox_inches="tight", format="png")
    return paths
