"""From a trained spiking network to neuromorphic hardware: lava-dl netx / Loihi 2 networks and NIR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.chip import Chip
    from export.network import Network
    from export.netx import write_netx
    from export.netx_reading import read_netx
    from export.quantising import quantise
    from export.reader import read
    from export.refusal import Refusal
    from export.running import run
    from export.simulator import simulate

_HOMES = {
    "Chip": "chip",
    "Network": "network",
    "Refusal": "refusal",
    "quantise": "quantising",
    "read": "reader",
    "read_netx": "netx_reading",
    "run": "running",
    "simulate": "simulator",
    "write_netx": "netx",
}

__all__ = ["Chip", "Network", "Refusal", "quantise", "read", "read_netx", "run", "simulate", "write_netx"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"export.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'export' has no attribute {name!r}")
