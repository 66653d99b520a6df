"""How far a command is: a bar on stderr where that is a terminal, and sentences that do not break it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from event_tools.command import tell

NAME = "event-tools"
DELAY_S = 1  # for less than this one recording gets no bar
T = TypeVar("T")


class Progress:
    """Counts what is done and tells what has to be told."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def step(self, count: int = 1) -> None:
        """So many more are done."""
        self._bar.update(count)

    def tell(self, text: str) -> None:
        """One line on stderr, above the bar."""
        with self._bar.external_write_mode(file=sys.stderr):
            tell(NAME, text)


@contextmanager
def progress(total: int, title: str) -> Iterator[Progress]:
    """A bar of `total` steps, gone without a trace where stderr is no terminal or there is one step."""
    from tqdm import tqdm

    hidden = total < 2 or not sys.stderr.isatty()
    with tqdm(total=total, desc=title, file=sys.stderr, disable=hidden, dynamic_ncols=True) as bar:
        yield Progress(bar)


@contextmanager
def events_progress(total: int | None, title: str) -> Iterator[Progress]:
    """A bar of events for one recording, `total` of them at most where that is known; none where nobody looks."""
    from tqdm import tqdm

    look = {"unit": " events", "unit_scale": True, "dynamic_ncols": True, "delay": DELAY_S}
    with tqdm(total=total, desc=title, file=sys.stderr, disable=not sys.stderr.isatty(), **look) as bar:
        yield Progress(bar)


def walked(items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """The items, each one counted when it is asked for the next."""
    with progress(total, title) as shown:
        for item in items:
            yield item
            shown.step()
