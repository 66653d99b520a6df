"""What each function of torch makes of the signals that go into it.

layout       numbers are moved only: the function itself moves their indices
linear       convolutions and matrices of plain, pooled or scaled spikes make a new signal
elementwise  batch norm, sums with and products by constants fold into the map before; a skip of spikes adds a term
the rest     is left to the host, and refused should neurons come after it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from export import elementwise_rules, linear_rules, pooling_rules, time_rules
from export.calls import Call
from export.folding import CannotFold
from export.layout_rules import layout, moves, put
from export.reasons import what_it_is
from export.signals import Mixed, Tag
from export.tracing import CONSTANT, Trace, tensors

_RULES: dict[str, Callable[[Call], Tag]] = {
    **elementwise_rules.RULES,
    **linear_rules.RULES,
    **pooling_rules.RULES,
    **time_rules.RULES,
}
_SAME = {
    *("contiguous", "clone", "detach", "to", "float", "double", "half", "bfloat16", "type", "type_as", "cpu", "cuda"),
    *("data", "requires_grad", "alias", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "identity"),
    *("feature_dropout", "feature_alpha_dropout", "positive", "__pos__"),
}


def follow(trace: Trace, name: str, func: Any, args: Any, kwargs: Any, result: Any, before: dict[int, Any]) -> None:
    """Tag what a function returned; before: tags of its tensors before the call."""
    made = tensors(result)
    if name == "__setitem__":
        put(trace, args, before)
        return
    if not made:
        return
    inputs = tensors((args, kwargs))
    tagged = [t for t in inputs if isinstance(before[id(t)], Tag)]
    if not tagged:
        if all(before[id(t)] is CONSTANT for t in inputs):
            for t in made:
                if not isinstance(trace.tag(t), Tag):
                    trace.show(t, CONSTANT)
        return
    tags = [before[id(t)] for t in tagged]
    call = Call(trace, name, func, args, kwargs, result, before)
    if any(before[id(t)] is None for t in inputs) and name not in _SAME:
        fault = trace.fault(name, "one of its inputs comes from code that cannot be followed", "use layers of torch")
        _give(trace, made, [trace.refuse(fault)] * len(made))
        return
    _give(trace, made, _made(call, tags, made))


def _made(call: Call, tags: list[Tag], made: list[Tensor]) -> list[Tag]:
    name = call.name
    if name in _SAME and not _dropping(call):
        return tags[:1] * len(made)
    if moves(call):
        return layout(call, tags, made)
    rule = _RULES.get(name)
    if rule is None:
        return [call.outside(*tags)] * len(made)
    try:
        return [rule(call)] * len(made)
    except CannotFold as problem:
        what = what_it_is(name, call.trace.part)
        return [call.outside(*tags, fault=call.trace.fault(what, problem.why, problem.instead))] * len(made)
    except Mixed:
        what = what_it_is(name, call.trace.part)
        why = "it mixes features, steps or samples in a way that no layer of a chip does"
        fault = call.trace.fault(what, why, "use layers on (T, N, C, H, W) or (T, N, F)")
        return [call.outside(*tags, fault=fault)] * len(made)


def _give(trace: Trace, made: list[Tensor], tags: list[Tag]) -> None:
    for tensor, tag in zip(made, tags, strict=True):
        trace.show(tensor, tag)


def _dropping(call: Call) -> bool:
    given = call.bound("input", "p", "training")
    return "dropout" in call.name and bool(given.get("training", call.name in ("dropout",)))
