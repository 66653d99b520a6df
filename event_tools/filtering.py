"""Filters and augmentations by name, as a command line gives them: `denoise:window_us=5000 crop:left=0,top=0,...`.

Most work piece by piece, so that a recording larger than memory streams through them; `WHOLE` names those that have to
see all of it first.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any, get_args, get_type_hints

from event_tools import augment, filters
from event_tools.events import Events
from event_tools.filters import Memory, Pixels
from event_tools.parts import joined, owned

FILTERS: dict[str, Callable[..., Events]] = {
    "center_crop": filters.center_crop,
    "crop": filters.crop,
    "decimate": filters.decimate,
    "denoise": filters.denoise,
    "downsample": filters.downsample,
    "drop_area": augment.drop_area,
    "drop_events": augment.drop_events,
    "drop_hot_pixels": filters.drop_hot_pixels,
    "drop_pixels": filters.drop_pixels,
    "drop_random_pixels": augment.drop_random_pixels,
    "drop_time": augment.drop_time,
    "event_drop": augment.event_drop,
    "flip_left_right": filters.flip_left_right,
    "flip_polarity": filters.flip_polarity,
    "flip_up_down": filters.flip_up_down,
    "integrate": filters.integrate,
    "keep_polarity": filters.keep_polarity,
    "random_crop": augment.random_crop,
    "random_flip_left_right": augment.random_flip_left_right,
    "random_flip_polarity": augment.random_flip_polarity,
    "random_flip_up_down": augment.random_flip_up_down,
    "random_time_reversal": augment.random_time_reversal,
    "random_time_scale": augment.random_time_scale,
    "rebase": filters.rebase,
    "refractory": filters.refractory,
    "reverse_time": filters.reverse_time,
    "rotate": filters.rotate,
    "scale_time": filters.scale_time,
    "shift_time": filters.shift_time,
    "space_jitter": augment.space_jitter,
    "time_jitter": augment.time_jitter,
    "time_slice": filters.time_slice,
    "uniform_noise": augment.uniform_noise,
}

WHOLE = frozenset(
    {
        "drop_events",
        "drop_hot_pixels",
        "drop_time",
        "event_drop",
        "random_time_reversal",
        "random_time_scale",
        "reverse_time",
        "space_jitter",
        "time_jitter",
        "uniform_noise",
    }
)
_HOLDS = " Holds the whole recording."


@dataclass(frozen=True)
class Filter:
    """A filter with its parameters; call it on a recording, or send the parts of one through `parts`."""

    name: str
    parameters: Mapping[str, Any]

    def __call__(self, events: Events) -> Events:
        """The filtered recording; raises ValueError for parameters that it refuses."""
        return FILTERS[self.name](events, **self.parameters)

    @property
    def whole(self) -> bool:
        """Whether it has to hold the whole recording."""
        return self.name in WHOLE

    @property
    def seeded(self) -> bool:
        """Whether chance has a part in it."""
        return "seed" in _parameters(self.name)

    def parts(self, parts: Iterable[Events]) -> Iterator[Events]:
        """The parts of a recording, filtered; the same events as from the recording in one, held only if `whole`."""
        if self.whole:
            held = [owned(part) for part in parts]
            if held:
                yield self(joined(held))
            return
        carried = {"memory": Memory()} if _carries(self.name) else {}
        for part in parts:
            yield FILTERS[self.name](part, **self.parameters, **carried)

    def for_recording(self, name: str) -> Filter:
        """The filter with a seed of this recording's own, so that the recordings of a set are not changed alike."""
        if not self.seeded:
            return self
        return Filter(self.name, {**self.parameters, "seed": augment.derived_seed(self.parameters["seed"], name)})

    def __str__(self) -> str:
        given = ",".join(f"{key}={_text(value)}" for key, value in self.parameters.items())
        return f"{self.name}:{given}" if given else self.name


def filter_parts(parts: Iterable[Events], chain: Sequence[Filter]) -> Iterator[Events]:
    """The parts of a recording, sent through one filter after the other."""
    for step in chain:
        parts = step.parts(parts)
    return iter(parts)


def parse_filter(text: str) -> Filter:
    """`name` or `name:key=value,key=value`; raises ValueError with the nearest name, or with the parameters there are.

    Whole numbers may be written 10_000; truth values are true and false; pixels are 18x30+7x15.
    """
    name, _, given = text.strip().partition(":")
    if name not in FILTERS:
        near = difflib.get_close_matches(name, FILTERS, n=1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(FILTERS)}"
        raise ValueError(f"expected the name of a filter, got {name!r}; {advice}")
    known, values = _parameters(name), {}
    for item in given.split(",") if given.strip() else ():
        key, equals, value = (piece.strip() for piece in item.partition("="))
        if not equals:
            raise ValueError(f"expected {name}:key=value,key=value, got {item!r}; {_offered(name)}")
        if key not in known:
            raise ValueError(f"expected a parameter of {name}, got {key!r}; {_offered(name)}")
        if key in values:
            raise ValueError(f"expected {key} of {name} once, got it twice")
        values[key] = _value(f"{key} of {name}", value, known[key][0])
    missing = [key for key, (_, default) in known.items() if default is inspect.Parameter.empty and key not in values]
    if missing:
        raise ValueError(f"expected {name} with {', '.join(missing)}; {_offered(name)}")
    return Filter(name, values)


def describe_filters() -> str:
    """One line a filter: how it is written, with defaults ([key] may be left out), and what it does."""
    lines = []
    for name, function in FILTERS.items():
        keys = ",".join(_shown(key, default) for key, (_, default) in _parameters(name).items())
        summary = (function.__doc__ or "").partition("\n")[0].partition(". ")[0].rstrip(".")
        lines.append(f"{name}{':' if keys else ''}{keys}  {summary}.{_HOLDS if name in WHOLE else ''}")
    return "\n".join(lines)


@cache
def _parameters(name: str) -> dict[str, tuple[Any, Any]]:
    """Type and default of each parameter that may be given."""
    hints = get_type_hints(FILTERS[name])
    signature = inspect.signature(FILTERS[name]).parameters
    return {key: (hints[key], one.default) for key, one in signature.items() if key not in ("events", "memory")}


def _carries(name: str) -> bool:
    return "memory" in inspect.signature(FILTERS[name]).parameters


def _offered(name: str) -> str:
    keys = list(_parameters(name))
    return f"it takes {', '.join(keys)}" if keys else "it takes none"


def _value(what: str, text: str, hint: Any) -> Any:
    if hint is Pixels or hint == Pixels:
        return _pixels(what, text)
    kinds = [kind for kind in get_args(hint) if kind is not type(None)] if isinstance(hint, UnionType) else [hint]
    if kinds == [str]:
        return text
    if kinds == [bool]:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"expected {what} as true or false, got {text!r}")
        return text.lower() == "true"
    try:
        return kinds[0](text)
    except ValueError:
        kind = "a whole number" if kinds == [int] else "a number"
        raise ValueError(f"expected {what} as {kind}, got {text!r}") from None


def _pixels(what: str, text: str) -> list[tuple[int, int]]:
    pixels = []
    for item in text.split("+"):
        x, cross, y = item.partition("x")
        if not (cross and x.strip().isdecimal() and y.strip().isdecimal()):
            raise ValueError(f"expected {what} as XxY+XxY, for example 18x30+7x15, got {text!r}")
        pixels.append((int(x), int(y)))
    return pixels


def _shown(key: str, default: Any) -> str:
    if default is inspect.Parameter.empty:
        return key
    return f"[{key}]" if default is None else f"{key}={_text(default)}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "+".join(f"{x}x{y}" for x, y in value) if isinstance(value, list) else str(value)
