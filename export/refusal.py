"""The layers that cannot run on the chip, named all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """name: dotted name of the layer; what it is; why it cannot be exported; instead: what to use."""

    name: str
    what: str
    why: str
    instead: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}; {self.instead}"


class Refusal(ValueError):
    """A network that cannot be exported. Its text has one line a refused layer, which begins with the dotted name."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        layers: dict[str, list[str]] = {}
        for fault in self.faults:
            layers.setdefault(fault.name, []).append(" ".join(str(fault).split()))
        super().__init__("\n".join(f"{name}: {'. Also '.join(texts)}" for name, texts in layers.items()))
