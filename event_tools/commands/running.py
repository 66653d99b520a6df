"""How a command does its work: on one file, or as a job on many; and what it says in the end."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from event_tools.command import tell
from event_tools.commands.options import JobOptions

if TYPE_CHECKING:
    from event_tools.jobs import Task
    from event_tools.sources import Sources


@dataclass(frozen=True)
class Order:
    """What a command was told to make. suffix: of its outputs; tail: what follows the name of an input in an output's.

    options: those that shape the outputs, as text; to_folder: whether one input, too, makes a folder.
    """

    command: str
    given: Sequence[str]
    out: Path
    suffix: str
    options: Mapping[str, str]
    tail: str = ""
    to_folder: bool = False


def carry_out(order: Order, sources: Sources, work: Callable[[Task], Mapping[str, int]], job: JobOptions) -> None:
    """Do the work and print the output's path, or JSON with what was made and counted. Raises ValueError, OSError."""
    from event_tools.finding import SUFFIXES
    from event_tools.jobs import Job, Task, plan, run_job, sweep
    from event_tools.sources import outside

    if sources.many or order.to_folder:
        if job.overwrite:
            raise ValueError("expected --overwrite with a single file only; give a new folder, or remove the old one")
        tasks = plan(outside(sources.items, order.out), order.out, order.suffix, SUFFIXES, order.tail)
        described = Job.of(order.command, order.given, order.options)
        totals = run_job(described, tasks, order.out, work, job.crew(), job.part())
        answer: dict[str, Any] = asdict(totals)
        answer |= answer.pop("counts")
        if totals.kept and not job.as_json:
            tell("event-tools", f"made {totals.made}, {totals.kept} were there already")
    else:
        item, out = sources.items[0], order.out
        if job.shard is not None:
            raise ValueError("expected --shard with many recordings, got a single file")
        if out.is_dir():
            out = plan([item], out, order.suffix, SUFFIXES)[0].out
        check_out(out, job.overwrite)
        sweep([out])
        with told_warnings():
            counts = work(Task(0, item, out))
        answer = {"out": str(out), "made": 1, "kept": 0, **counts}
    typer.echo(json.dumps(answer) if job.as_json else answer["out"])


def check_out(out: Path, overwrite: bool) -> None:
    """Raise EventFileError where there is a file of that name that must not be replaced, or no folder for it."""
    from event_tools.errors import EventFileError

    if not out.absolute().parent.is_dir():
        raise EventFileError(out, f"expected the folder {out.absolute().parent} to exist; make it first")
    if out.is_file() and not overwrite:
        raise EventFileError(out, "expected a new file, it is there already; choose another name or give --overwrite")


@contextmanager
def told_warnings() -> Iterator[None]:
    """Every warning is told, also one that was told before."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        yield


def evenly(total: int, count: int | None) -> list[int]:
    """At most `count` of range(total), evenly spread, so that every label of a sorted set has its share."""
    if count is None or count >= total:
        return list(range(total))
    return [i * total // count for i in range(count)]
