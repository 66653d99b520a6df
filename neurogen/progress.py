"""A progress bar with the time left, on stderr and only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with the number done so far."""
    from tqdm import tqdm

    with tqdm(total=total, desc=title, file=sys.stderr, disable=not sys.stderr.isatty(), dynamic_ncols=True) as progress:
        yield lambda done: progress.update(done - progress.n) and None
