"""Spiking generative models for images and event-camera recordings.

`import neurogen` is instant: torch comes in with the first name that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurogen.model import Model, Samples, load

__all__ = ["Model", "Samples", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in ("Model", "Samples", "load"):
        from neurogen import model

        return getattr(model, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("neurogen")
    raise AttributeError(f"module 'neurogen' has no attribute {name!r}")
