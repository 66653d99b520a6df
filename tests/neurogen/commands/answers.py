"""What a command answered, and the one sentence of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Answer]


def refused(result: Answer) -> str:
    """The one sentence of a refused command; checks status, silence on stdout and the absence of a traceback."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    talk = [line for line in result.stderr.splitlines() if not line.startswith("data: ")]  # what a crop loses
    assert len(talk) == 1 and talk[0].startswith("neurogen: "), result.stderr
    return talk[0]
