"""A progress bar with the time left, on stderr and only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(title: str, total: int | None, start: int = 0) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with the number done so far, `start` of which cost no time; a total of None is mute."""
    from tqdm import tqdm

    hidden = total is None or not sys.stderr.isatty()
    with tqdm(total=total, initial=start, desc=title, file=sys.stderr, disable=hidden, dynamic_ncols=True) as progress:
        yield lambda done: progress.update(done - progress.n) and None
