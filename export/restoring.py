"""A module lent out and given back as it was: flags, states, buffers, and the random numbers that come next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_DICTS = ("_parameters", "_buffers", "_modules", "_memories", "_memories_rv")


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """In eval mode inside; whatever a forward changes is as before afterwards."""
    saved = [(part, _attributes(part)) for part in module.modules()]
    buffers = [(b, b.detach().clone()) for b in module.buffers()]
    devices = sorted({p.device.index or 0 for p in module.parameters() if p.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices):
        try:
            module.eval()
            yield
        finally:
            for part, attributes in saved:
                _restore(part, attributes)
            with torch.no_grad():
                for buffer, values in buffers:
                    if not torch.equal(buffer, values):
                        buffer.copy_(values)


def _attributes(part: nn.Module) -> dict[str, Any]:
    """A module's attributes, with copies of its lists and dicts."""
    return {k: type(v)(v) if type(v) in (dict, list) or k in _DICTS else v for k, v in vars(part).items()}


def _restore(part: nn.Module, attributes: dict[str, Any]) -> None:
    now = vars(part)
    for name in [name for name in now if name not in attributes]:
        del now[name]
    for name, value in attributes.items():
        if name in _DICTS and isinstance(now.get(name), dict):
            now[name].clear()
            now[name].update(value)
        else:
            now[name] = value
