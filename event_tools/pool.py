"""The same work on many items by processes that end with the one that started them.

Workers are started afresh (spawn), each behind a pipe of its own. Ctrl-C reaches only the parent, which ends them by
SIGTERM, so that what they have half-written is removed; a worker whose parent was killed ends itself the same way.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from event_tools.command import leave_by_exception

In, Out = TypeVar("In"), TypeVar("Out")
PATIENCE_S = 10.0  # for a worker to take back what it half-wrote


@dataclass(frozen=True)
class Answer(Generic[Out]):
    """What became of item `index`: a value, or the error in one sentence; and the warnings on the way."""

    index: int
    value: Out | None
    error: str | None
    warnings: tuple[str, ...]


def cpu_count() -> int:
    """The CPUs that this process may use, fewer than there are under a scheduler such as Slurm."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def answers(work: Callable[[In], Out], items: Sequence[In], workers: int) -> Iterator[Answer[Out]]:
    """work(item) of each item, as they are done; in this process where there is one item or one worker.

    work and items have to be picklable. ValueError, OSError, ImportError and MemoryError are answers; anything else is
    raised. Raises ChildProcessError where a worker is killed from outside.
    """
    if min(workers, len(items)) < 2:
        for index, item in enumerate(items):
            yield _answer(work, index, item)
        return
    crew: dict[Connection, tuple[BaseProcess, int]] = {}
    try:
        coming = iter(enumerate(items))
        for index, item in (next(coming) for _ in range(min(workers, len(items)))):
            connection, process = _hire(work)
            crew[connection] = process, index
            _send(connection, (index, item))
        while crew:
            for connection in wait(list(crew)):
                assert isinstance(connection, Connection)
                process, index = crew[connection]
                answer = _received(connection, process, items[index])
                index, item = next(coming, (-1, None))
                if index < 0:
                    _send(connection, None)
                    crew.pop(connection)[0].join(PATIENCE_S)
                    connection.close()
                else:
                    crew[connection] = crew[connection][0], index
                    _send(connection, (index, item))
                yield answer
    finally:
        _dismiss(crew)


def sentence(error: BaseException) -> str:
    """An error as one line for a person."""
    if isinstance(error, MemoryError):
        return "it does not fit the memory; cut it into parts or take fewer --workers"
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror[0].lower()}{error.strerror[1:]}; check the path, its permissions and free space"
    return " ".join(str(error).split()) or type(error).__name__


def _hire(work: Callable[[Any], Any]) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _send(connection: Connection, order: object) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # a worker that died says so when it is listened to
        connection.send(order)


def _received(connection: Connection, process: BaseProcess, item: object) -> Answer[Any]:
    """The worker's answer; raises ChildProcessError where it died, RuntimeError for an error that is ours."""
    try:
        answer = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join(PATIENCE_S)
        status = process.exitcode or 0
        how = (
            f"was killed by signal {-status}, as happens without enough memory" if status < 0 else f"ended by {status}"
        )
        raise ChildProcessError(f"{item}: its worker {how}; run it again with fewer --workers") from None
    if isinstance(answer, str):
        raise RuntimeError(f"a worker failed at {item}:\n{answer}")
    return answer


def _dismiss(crew: dict[Connection, tuple[BaseProcess, int]]) -> None:
    for process, _ in crew.values():
        process.terminate()
    for process, _ in crew.values():
        process.join(PATIENCE_S)
        if process.is_alive():
            process.kill()
            process.join()


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    """A worker's life: items in, answers out, until the parent says so or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_by_exception()
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()
    try:
        while (order := connection.recv()) is not None:
            try:
                connection.send(_answer(work, *order))
            except Exception:
                connection.send(traceback.format_exc())
    except (EOFError, OSError):
        return


def _answer(work: Callable[[Any], Any], index: int, item: Any) -> Answer[Any]:
    value, error = None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            value = work(item)
        except (ValueError, OSError, ImportError, MemoryError) as wrong:
            if os.environ.get("NEUROGEN_DEBUG"):
                raise
            error = sentence(wrong)
    return Answer(index, value, error, tuple(str(warning.message) for warning in caught))


def _leave_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
