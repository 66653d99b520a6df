"""Work for processes, in a file that loads next to nothing, so that they start fast."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from event_tools.atomic import replacing


def die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail(_: object) -> None:
    raise KeyError("ours")


def hold(path: Path) -> None:
    """Half-write a file, and take a minute over it."""
    with replacing(path) as temporary:
        temporary.touch()
        time.sleep(60)


def double(number: int) -> int:
    return 2 * number


class Deadly:
    """Work that ends the worker which receives it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)

    def __call__(self, _: object) -> None:
        raise AssertionError("no worker lives to do this")
