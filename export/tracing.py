"""Following tensors through a module while it runs once: which signal each shows, and in whose forward it was made.

Every function of torch that the module calls is seen, and every neuron as a whole; the rules are in `rules.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from export.assembly import Found, plain, shape_of
from export.network import INPUT
from export.refusal import Fault
from export.signals import Mixed, Note, Outside, OverTime, Rows, Signal, Tag, first, rows_of

CONSTANT = object()
_DISPATCHED = {
    F.max_pool1d: "max_pool1d",
    F.max_pool2d: "max_pool2d",
    F.max_pool3d: "max_pool3d",
    F.adaptive_max_pool1d: "adaptive_max_pool1d",
    F.adaptive_max_pool2d: "adaptive_max_pool2d",
    F.fractional_max_pool2d: "fractional_max_pool2d",
}


class Trace(TorchFunctionMode):
    """One run of a module.

    steps, batch: T and N of the example; follow: what the rules make of a call; called: what they make of a neuron.
    """

    def __init__(
        self, module: nn.Module, example: Tensor, neurons: dict[nn.Module, Any], follow: Any, called: Any
    ) -> None:
        super().__init__()
        self.steps, self.batch = example.shape[:2]
        self.names = {part: name for name, part in module.named_modules()}
        self.root = module.__class__.__name__
        self.neurons, self._follow, self._called = neurons, follow, called
        self.faults: list[Fault] = []
        self.layers: list[Found] = []
        self.memory: dict[Any, Any] = {}
        self._keep: list[Any] = []
        self._stack: list[nn.Module] = []
        self._suspended = 0
        self._tags = WeakTensorKeyDictionary()
        self._digests = WeakTensorKeyDictionary()
        for tensor in _constants(module):
            self._tags[tensor] = CONSTANT
        flat = example[0, 0].numel()
        shape = shape_of(example.shape[2:])
        self.source = Found("input", plain("input", INPUT, flat, shape), shape, False)
        self.binary = bool(((example == 0) | (example == 1)).all())
        self.still = bool((example == example[:1]).all())
        self.show(example, Tag(self.source.signal, first(self.steps * self.batch, flat, tuple(example.shape))))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._suspended:
            return func(*args, **kwargs)
        before = {id(t): self.tag(t) for t in tensors((args, kwargs))}
        result = func(*args, **kwargs)
        with self.suspended():
            self._follow(self, name_of(func), func, args, kwargs, result, before)
        return result

    @contextmanager
    def suspended(self) -> Iterator[None]:
        self._suspended += 1
        try:
            yield
        finally:
            self._suspended -= 1

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Watch the module's parts being called. Neurons get a hook of their own, so that no fused path skips them."""
        with ExitStack() as stack:
            for part in self.names:
                handles = [
                    part.register_forward_pre_hook(self._enter, prepend=True, with_kwargs=True),
                    part.register_forward_hook(self._leave, with_kwargs=True),
                ]
                for handle in handles:
                    stack.callback(handle.remove)
            yield

    def _enter(self, part: nn.Module, args: Any, kwargs: Any) -> None:
        self._stack.append(part)
        if part in self.neurons:
            self._suspended += 1

    def _leave(self, part: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
        if part in self.neurons and self._suspended == 1:
            self._called(self, part, args, kwargs, result)
        if part in self.neurons:
            self._suspended -= 1
        self._stack.pop()

    @property
    def part(self) -> nn.Module | None:
        """The module whose forward is running."""
        return self._stack[-1] if self._stack else None

    @property
    def here(self) -> str:
        """Its dotted name; the root's is its class."""
        return (self.names[self.part] if self.part is not None else "") or self.root

    def show(self, tensor: Tensor, tag: Tag | Any) -> None:
        self._tags[tensor] = tag

    def tag(self, tensor: Tensor) -> Tag | Any:
        """Its Tag, CONSTANT, or None where nobody saw it being made."""
        return self._tags.get(tensor)

    def digest(self, tensor: Tensor | None) -> bytes:
        """A fingerprint of a constant's values."""
        if tensor is None:
            return b""
        known = self._digests.get(tensor)
        if known is None or known[0] != tensor._version:
            values = tensor.detach().cpu().double().contiguous().numpy()
            known = tensor._version, hashlib.sha256(values.tobytes() + str(values.shape).encode()).digest()
            self._digests[tensor] = known
        return known[1]

    def once(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What `make` gave for the same key before, so that steps share it. Objects in the key are kept alive."""
        lookup = tuple(id(part) if isinstance(part, (Signal, nn.Module)) else part for part in key)
        if lookup not in self.memory:
            self.memory[lookup] = make()
            self._keep.append(key)
        return self.memory[lookup]

    def rows(self, tag: Tag, lead: int) -> Rows:
        """Raises Mixed where the tensor's first `lead` axes are not steps and samples."""
        if lead < 1 or tag.index is None:
            raise Mixed
        return rows_of(tag.index, lead, tag.signal.size)

    def fault(self, what: str, why: str, instead: str, name: str | None = None) -> Fault:
        return Fault(name or self.here, what, why, instead)

    def base(self, tag: Tag) -> tuple[Signal | None, tuple[Note, ...]]:
        """The chip's layer behind a tensor, and what the host does with it."""
        signal = tag.signal
        if isinstance(signal, Outside):
            return signal.base, signal.notes
        notes = [*signal.notes, *((tag.over.note,) if tag.over else self._when(tag)), *tag.moves]
        if signal.real:
            return signal, tuple(notes)
        source = signal.terms[0].source
        return (self.source if source == INPUT else self.layers[source]).signal, tuple(notes)

    def _when(self, tag: Tag) -> tuple[Note, ...]:
        """A note where only some steps are used."""
        shown = tag.index[tag.index >= 0]
        steps = torch.unique(torch.div(shown, self.batch * tag.signal.size, rounding_mode="floor")).long().tolist()
        if len(steps) == self.steps or not steps:
            return ()
        which = "the last step" if steps == [self.steps - 1] else f"steps {', '.join(str(s + 1) for s in steps)}"
        fault = self.fault("a choice of steps", "neurons after it would need every step", "use all steps")
        return (Note(f"only {which} of {self.steps}", fault),)

    def refuse(self, fault: Fault) -> Tag:
        """Keep the fault and go on as if its output were real values from somewhere else."""
        self.faults.append(fault)
        return Tag(Outside(None))

    def unknown(self, key: tuple[Any, ...], features: Sequence[int]) -> Signal:
        """Spikes of a layer that stands for what was refused, so that what follows is still judged by itself."""

        def make() -> Signal:
            size, shape = int(np.prod(features)), shape_of(features)
            signal = plain(self.here, len(self.layers), size, shape)
            self.layers.append(Found(self.here, signal, shape, False, self.source.signal))
            return signal

        return self.once(("unknown", *key), make)

    def outside(self, tags: Sequence[Tag], words: str, fault: Fault | None, joint: Fault | None = None) -> Tag:
        """Something for the host, if all of it comes from one layer; otherwise `joint` (or `fault`) is refused."""
        bases = [self.base(tag) for tag in tags]
        same = all(base is bases[0][0] for base, _ in bases)
        if len({id(tag) for tag in tags}) > 1 and (not same or bases[0][0] is None):
            return self.refuse(
                joint
                or fault
                or self.fault("two inputs", "the chip adds currents only where they enter a neuron", "use one input")
            )
        notes = max((notes for _, notes in bases), key=len)
        return Tag(Outside(bases[0][0], (*notes, Note(words, fault)) if words else notes))


def over_time(tag: Tag, axis: int, steps: int, batch: int) -> Tensor | None:
    """The index of step 0 where that axis of the tensor is time, else None."""
    if tag.index is None or tag.over is not None or tag.index.shape[axis] != steps:
        return None
    zero = tag.index.select(axis, 0)
    step = float(batch * tag.signal.size)
    for t in range(steps):
        now = tag.index.select(axis, t)
        if (torch.where(now < 0, now, now - t * step) != zero).any():
            return None
    return zero


def name_of(func: Any) -> str:
    """A function's name, without the sign of working in place; a property's own name."""
    if func in _DISPATCHED:
        return _DISPATCHED[func]
    name = getattr(func, "__name__", str(func))
    if name == "__get__":
        return getattr(func.__self__, "__name__", name)
    return name if name.startswith("__") else name.rstrip("_")


def tensors(nested: Any) -> list[Tensor]:
    """All tensors in nested lists, tuples and dicts."""
    if isinstance(nested, Tensor):
        return [nested]
    if isinstance(nested, dict):
        nested = list(nested.values())
    if isinstance(nested, (list, tuple)):
        return [t for part in nested for t in tensors(part)]
    return []


def note_over(trace: Trace, words: str, total: float) -> OverTime:
    fault = trace.fault(words, "neurons after it would have no steps", "let the host do it, after the last layer")
    return OverTime(Note(words, fault), total)


def _constants(module: nn.Module) -> Iterator[Tensor]:
    for part in module.modules():
        yield from (p for p in part._parameters.values() if p is not None)
        yield from (b for b in part._buffers.values() if b is not None)
        yield from (v for v in vars(part).values() if isinstance(v, Tensor))


def as_float(value: Any, like: Tensor) -> Tensor:
    """A number or constant tensor as float64 in the shape of `like`."""
    c = value.detach().cpu().double() if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)
    return c.expand(like.shape)
