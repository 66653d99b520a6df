"""From a trained spiking network to neuromorphic hardware: lava-dl netx / Loihi 2 networks and NIR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.network import Network
    from export.reader import read
    from export.refusal import Refusal
    from export.running import run

_HOMES = {
    "Network": "network",
    "Refusal": "refusal",
    "read": "reader",
    "run": "running",
}

__all__ = ["Network", "Refusal", "read", "run"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"export.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'export' has no attribute {name!r}")
