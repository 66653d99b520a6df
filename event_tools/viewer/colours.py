"""The colours of recordings and of what surrounds them, for the page, for pictures and for films: this is their place.

A palette has a colour for ON and for OFF events on a dark and on a light ground. "blue-orange" is the pair of Okabe and
Ito (Color Universal Design, 2008), which people with any colour vision tell apart; so is "white-black", by lightness.
An event fades with its age towards the ground, never below FAINTEST of its colour.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

FAINTEST = 0.3
SHADES = 16  # steps in which events fade


@dataclass(frozen=True)
class Colours:
    """As #rrggbb: events on their ground, then the page or picture around them and its text, pale text, lines, keys."""

    on: str
    off: str
    ground: str
    page: str
    text: str
    pale: str
    line: str
    key: str


_AROUND = {
    "dark": {"page": "#0d1117", "text": "#e6edf3", "pale": "#8b949e", "line": "#30363d", "key": "#161b22"},
    "light": {"page": "#f6f8fa", "text": "#1f2328", "pale": "#59636e", "line": "#d1d9e0", "key": "#ffffff"},
}
_EVENTS = {
    "cyan-pink": {"dark": ("#4cc9f0", "#f72585", "#05070c"), "light": ("#0077b6", "#d6006c", "#ffffff")},
    "blue-orange": {"dark": ("#56b4e9", "#e69f00", "#05070c"), "light": ("#0072b2", "#d55e00", "#ffffff")},
    "green-red": {"dark": ("#3ddc5b", "#ff4d4d", "#05070c"), "light": ("#0a8f2f", "#d11a1a", "#ffffff")},
    "white-black": {"dark": ("#ffffff", "#000000", "#6b7076"), "light": ("#ffffff", "#000000", "#9aa0a6")},
}
PALETTES = tuple(_EVENTS)
GROUNDS = tuple(_AROUND)


def colours(palette: str = "cyan-pink", ground: str = "dark") -> Colours:
    """The colours by the names of a palette, ON first, and of a ground; raises ValueError for others."""
    if palette not in PALETTES:
        raise ValueError(f"expected palette to be {', '.join(PALETTES)}, got {palette!r}")
    if ground not in GROUNDS:
        raise ValueError(f"expected ground to be {' or '.join(GROUNDS)}, got {ground!r}")
    on, off, behind = _EVENTS[palette][ground]
    return Colours(on, off, behind, **_AROUND[ground])


def rgb(colour: str) -> tuple[int, int, int]:
    """#rrggbb as three numbers to 255."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def for_the_page() -> dict[str, Any]:
    """All palettes, as the player takes them."""
    table = {name: {ground: asdict(colours(name, ground)) for ground in GROUNDS} for name in PALETTES}
    return {"palettes": table, "faintest": FAINTEST, "shades": SHADES}
