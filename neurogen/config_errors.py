"""Sentences for configurations that are refused: the key with its path, what was expected, what came."""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

KINDS = {
    "int": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool": "true or false",
    "bool_parsing": "true or false",
    "string": "text",
    "tuple": "a list",
    "model": "a section with settings of its own",
    "model_attributes": "a section with settings of its own",
}
BOUNDS = {
    "greater_than_equal": ("ge", "a number of at least"),
    "greater_than": ("gt", "a number above"),
    "less_than_equal": ("le", "a number up to"),
    "less_than": ("lt", "a number below"),
    "multiple_of": ("multiple_of", "a multiple of"),
    "too_short": ("min_length", "a list of length at least"),
    "too_long": ("max_length", "a list of length up to"),
}


def sentence(error: ValidationError, root: type[BaseModel]) -> str:
    """The first complaint of a failed validation against `root`, as one sentence."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"unknown key {key}; {_hint(key, known_keys(root))}"
    if kind == "missing":
        return f"expected {key} to be set, it is missing; add it"
    if kind == "value_error":
        reason = str(first["ctx"]["error"])
        return f"{key}: {reason}" if key else reason
    return f"{key}: expected {_expected(first)}, got {shown(first['input'])}"


def known_keys(section: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key below a section, dotted, sections before what they hold."""
    keys: list[str] = []
    for name, field in section.model_fields.items():
        keys.append(prefix + name)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += known_keys(inner, f"{prefix}{name}.")
    return keys


def shown(value: Any) -> str:
    """A value as YAML spells it, cut where it is long."""
    text = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else repr(value)
    return text if text is not None and len(text) <= 60 else f"{str(text)[:57]}..."


def _expected(first: ErrorDetails) -> str:
    kind, context = first["type"], first.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "")
    if kind in BOUNDS:
        limit, words = BOUNDS[kind]
        return f"{words} {context[limit]:g}"
    return KINDS.get(kind.removesuffix("_type"), first["msg"][0].lower() + first["msg"][1:])


def _hint(key: str, known: list[str]) -> str:
    """The nearest key: one whose name is the same elsewhere, else the most alike, siblings first."""
    section, _, name = key.rpartition(".")
    same = [other for other in known if other.rpartition(".")[2] == name]
    if same:
        return f"did you mean {same[0]}?"
    siblings = [other for other in known if other.rpartition(".")[0] == section]
    for candidates, likeness in ((siblings, 0.6), (known, 0.6)):
        names = {other.rpartition(".")[2]: other for other in reversed(candidates)}
        if near := difflib.get_close_matches(name, names, n=1, cutoff=likeness):
            return f"did you mean {names[near[0]]}?"
    return f"known here: {', '.join(other.rpartition('.')[2] for other in siblings)}" if siblings else "remove it"
