"""Arguments and options that several commands of `neurogen` have."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

ModelPath = Annotated[
    str, typer.Argument(help="A name that `neurogen models` lists, a run or a model folder.", show_default=False)
]
Overrides = Annotated[Optional[list[str]], typer.Argument(help="section.key=value, any number of them.")]  # noqa: UP045
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
