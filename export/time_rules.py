"""Sums over the steps, which the host does after the last layer; a mean over height and width is a pool."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from export.calls import Call
from export.pooling_rules import global_mean
from export.signals import Outside, Tag
from export.tracing import note_over, over_time


def _mean(call: Call) -> Tag:
    given = call.bound("input", "dim", "keepdim")
    tag, dims = call.tag(given["input"]), given.get("dim")
    if isinstance(tag.signal, Outside) or dims is None:
        return call.outside(tag)
    axes = sorted(d % given["input"].dim() for d in ((dims,) if isinstance(dims, int) else dims))
    if len(axes) == 1 and (zero := over_time(tag, axes[0], call.trace.steps, call.trace.batch)) is not None:
        kind, total = ("mean", 1.0) if call.name == "mean" else ("sum", float(call.trace.steps))
        index = zero.unsqueeze(axes[0]) if given.get("keepdim") else zero
        words = f"the {kind} over the {call.trace.steps} steps"
        return replace(tag, index=index, over=note_over(call.trace, words, total))
    if call.name == "mean" and axes == [given["input"].dim() - 2, given["input"].dim() - 1] and axes[0] >= 2:
        return global_mean(call, tag, given["input"], bool(given.get("keepdim")))
    return call.outside(tag)


def _einsum(call: Call) -> Tag:
    """A weighted sum over the steps, 't,tn...->n...'; anything else is the host's."""
    equation, *operands = call.args
    operands = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    tags = [call.tag(t) for t in operands]
    followed = [t for t in tags if t is not None]
    left, _, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(operands) != 2 or len(followed) != 1 or isinstance(followed[0].signal, Outside):
        return call.outside(*followed)
    at = 0 if tags[0] is not None else 1
    constant, tag = operands[1 - at], tags[at]
    zero = over_time(tag, 0, call.trace.steps, call.trace.batch)
    if zero is None or parts[1 - at] != parts[at][:1] or right != parts[at][1:]:
        return call.outside(tag)
    weights = ", ".join(f"{w:.6g}" for w in constant.detach().double().tolist())
    total = float(constant.detach().double().sum())
    if not total:
        return call.outside(tag)
    return replace(tag, index=zero, over=note_over(call.trace, f"the sum over the steps weighted by {weights}", total))


RULES: dict[str, Callable[[Call], Tag]] = {**dict.fromkeys(("mean", "sum"), _mean), "einsum": _einsum}
