"""The guide names every section and protocol, and its commands are the command's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from typer.main import get_command

from neurogen import cli
from neurogen.metrics.protocols import PROTOCOLS
from neurogen.metrics.sections import SECTIONS

GUIDE = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_the_tables_name_every_section_and_protocol_and_no_other() -> None:
    named = re.findall(r"^\| `([a-z][a-z-]+)` \|", GUIDE, re.MULTILINE)
    assert set(named) == {*SECTIONS, *PROTOCOLS}


def test_every_command_of_the_guide_is_understood() -> None:
    commands = re.findall(r"^neurogen evaluate (.*?)(?:#.*)?$", GUIDE, re.MULTILINE)
    assert len(commands) >= 5
    evaluate = get_command(cli.app).commands["evaluate"]  # type: ignore[attr-defined]
    for command in commands:
        evaluate.make_context("evaluate", shlex.split(command))
