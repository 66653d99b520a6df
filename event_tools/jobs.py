"""A job: many recordings, each to a file of its own in one folder, by one or many machines, in one go or several.

Outputs appear by a rename, so a file that is there is complete and is not made again. Shard I of N makes the outputs
whose position p in the whole list has p % N == I: shards may run at once in the same folder, and their union is what
one run makes. A record beside the outputs says which job a folder belongs to; another one is refused there.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from event_tools.atomic import replacing
from event_tools.errors import EventFileError
from event_tools.pool import answers
from event_tools.progress import progress
from event_tools.sources import Item

RECORD = ".event-tools.json"
PARTIAL = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)\.[0-9a-f]+\.partial")  # as `atomic` names them
PART = re.compile(r"-\d{5}(?=\.[^.]+$)")  # of a recording that is divided, see `cutting`
TOLD = 10  # errors that are told one by one


@dataclass(frozen=True)
class Job:
    """What a folder is made of. sources: absolute paths; options: those that change what is written, as text."""

    command: str
    sources: tuple[str, ...]
    options: Mapping[str, str]

    @classmethod
    def of(cls, command: str, sources: Iterable[str | Path], options: Mapping[str, str]) -> Job:
        """A job of sources and options as given; salvaging is left out, since it leaves whole files as they are."""
        kept = {name: value for name, value in sorted(options.items()) if name != "salvage"}
        return cls(command, tuple(os.path.abspath(source) for source in sources), kept)

    def text(self) -> str:
        """The record's text."""
        return json.dumps({"command": self.command, "sources": self.sources, "options": self.options}, indent=1) + "\n"


@dataclass(frozen=True)
class Task:
    """One output. index: its position in the whole job, the same in every shard."""

    index: int
    item: Item
    out: Path

    def __str__(self) -> str:
        return str(self.item.place)


@dataclass(frozen=True)
class Totals:
    """What a run did: outputs made, outputs that were there already, and sums of what the work counted."""

    out: str
    made: int
    kept: int
    counts: dict[str, int] = field(default_factory=dict)


def plan(items: Sequence[Item], folder: Path, suffix: str, known: Iterable[str], tail: str = "") -> list[Task]:
    """A task for each item: its name with `suffix` instead of one that is known, below `folder`.

    Raises EventFileError where two would have one name.
    """
    tasks, seen = [], set()
    for index, item in enumerate(items):
        name = PurePosixPath(item.name)
        stem = name.stem if name.suffix.lower() in known else name.name
        out = folder / name.with_name(f"{stem}{tail}{suffix}")
        if out in seen:
            raise EventFileError(
                item.place,
                f"expected names that differ without their suffix, {out.name} comes twice; give the folder above both",
            )
        seen.add(out)
        tasks.append(Task(index, item, out))
    return tasks


def run_job(
    job: Job,
    tasks: Sequence[Task],
    folder: Path,
    work: Callable[[Task], Mapping[str, int]],
    workers: int,
    shard: tuple[int, int] = (0, 1),
) -> Totals:
    """Make the outputs of a shard (I, N) that are not there yet; `work` returns what it counted.

    An error of one recording does not stop the others: ValueError at the end. Raises EventFileError for a folder that
    is not new, empty or of the same job.
    """
    _refuse_inside(folder, job)
    _claim(folder, job)
    mine = [task for task in tasks if task.index % shard[1] == shard[0]]
    todo = [task for task in mine if not task.out.exists()]
    sweep(task.out for task in todo)
    errors: list[str] = []
    counts: Counter[str] = Counter()
    with progress(len(todo), job.command) as shown:
        for answer in answers(work, todo, workers):
            for warning in answer.warnings:
                shown.tell(warning)
            if answer.error is not None:
                errors.append(answer.error)
                if len(todo) > 1 and len(errors) <= TOLD:
                    shown.tell(answer.error)
            counts.update(answer.value or {})
            shown.step()
    if errors:
        raise ValueError(errors[0] if len(todo) == 1 else _summary(errors, len(todo), folder))
    return Totals(str(folder), len(todo), len(mine) - len(todo), dict(counts))


def _summary(errors: Sequence[str], total: int, folder: Path) -> str:
    more = f", {len(errors) - TOLD} of them not listed" if len(errors) > TOLD else ""
    return f"{len(errors)} of {total} failed{more}; the others are in {folder}, run it again once these are mended"


def _refuse_inside(folder: Path, job: Job) -> None:
    inner = os.path.realpath(folder)
    for source in job.sources:
        outer = os.path.realpath(source)
        if os.path.isdir(outer) and os.path.commonpath([inner, outer]) == outer:
            raise EventFileError(folder, f"expected a folder outside of {source}, which is read; choose another one")


def _claim(folder: Path, job: Job) -> None:
    """Make the folder and its record, or find them as this job left them."""
    if not folder.absolute().parent.is_dir():
        raise EventFileError(folder, f"expected the folder {folder.absolute().parent} to exist; make it first")
    if folder.exists() and not folder.is_dir():
        raise EventFileError(folder, "expected a folder for many outputs, it is a file; choose another name")
    folder.mkdir(exist_ok=True)
    used = any(not name.startswith(".") for name in os.listdir(folder))  # before the record is looked for,
    record = folder / RECORD  # which another shard writes before anything else
    if not record.exists():
        if used:
            raise EventFileError(folder, "expected a new or empty folder, it holds other files; choose another one")
        with replacing(record) as temporary:
            temporary.write_text(job.text(), encoding="utf-8")
    found = record.read_text(encoding="utf-8", errors="replace")
    if found != job.text():
        raise EventFileError(
            folder, f"it belongs to another job ({_difference(found, job)}); choose another folder or remove this one"
        )


def _difference(found: str, job: Job) -> str:
    """What a record says otherwise."""
    try:
        theirs = json.loads(found)
        options = theirs["options"]
        if theirs["command"] != job.command:
            return f"{theirs['command']}, not {job.command}"
        if tuple(theirs["sources"]) != job.sources:
            return f"of {', '.join(theirs['sources'])}"
        name = next(key for key in sorted({*options, *job.options}) if options.get(key) != job.options.get(key))
        return f"{name} was {options.get(name, 'not given')}, now it is {job.options.get(name, 'not given')}"
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return f"its {RECORD} cannot be read"


def sweep(outs: Iterable[Path]) -> None:
    """Remove what processes that were killed left half-written of outputs that are still to be made."""
    if os.name != "posix":
        return
    wanted = {(out.parent, out.name[:200]) for out in outs}
    for folder in {folder for folder, _ in wanted if folder.is_dir()}:
        for name in os.listdir(folder):
            match = PARTIAL.fullmatch(name)
            if match and not _alive(int(match["process"])):
                of = match["name"]
                if (folder, of) in wanted or (folder, PART.sub("-00000", of)) in wanted:
                    (folder / name).unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
