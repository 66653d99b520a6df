"""One call of a function of torch while a module is read."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from export.reasons import reason
from export.refusal import Fault
from export.signals import Tag
from export.tracing import Trace


class Call:
    """One call of a function. `get` finds its arguments by name or position, as torch's signatures have them."""

    def __init__(
        self, trace: Trace, name: str, func: Any, args: Any, kwargs: Any, result: Any, before: dict[int, Any]
    ) -> None:
        self.trace, self.name, self.func = trace, name, func
        self.args, self.kwargs, self.result, self.before = args, kwargs, result, before

    def bound(self, *names: str) -> dict[str, Any]:
        values = dict(zip(names, self.args, strict=False))
        return {**values, **{("dim" if k == "axis" else k): v for k, v in self.kwargs.items()}}

    def tag(self, tensor: Any) -> Tag | None:
        found = self.before.get(id(tensor)) if isinstance(tensor, Tensor) else None
        return found if isinstance(found, Tag) else None

    def fault(self) -> Fault:
        what, why, instead = reason(self.name, self.trace.part)
        return self.trace.fault(what, why, instead)

    @property
    def words(self) -> str:
        part = self.trace.part
        alone = part is not None and not list(part.children()) and type(part).__module__.startswith("torch.nn")
        return f"{self.trace.here}: {part}" if alone else f"{self.name} in {self.trace.here}"

    def outside(self, *tags: Tag, fault: Fault | None = None, blame: bool = True) -> Tag:
        """Leave it to the host; blame: refuse it should neurons follow."""
        return self.trace.outside(tags, self.words, (fault or self.fault()) if blame else None, fault)
