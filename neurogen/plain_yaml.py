"""YAML with plain values as version 1.2 has them: only true and false are booleans, off is a word, 1e-3 is a number.

PyYAML follows version 1.1, where `perceptual: off` is false and `lr: 1e-3` is text.
"""

from __future__ import annotations

import re
from typing import Any

import yaml


class _Yaml(yaml.SafeLoader):
    """PyYAML's safe loader with other rules for plain booleans and numbers."""


_BOOLEAN, _FLOAT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"
_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_BOOLEAN, _FLOAT)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver(_BOOLEAN, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))
_Yaml.add_implicit_resolver(
    _FLOAT,
    re.compile(r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.inf|\.nan)\Z"),
    list("-+.0123456789"),
)


def parse_yaml(text: str) -> Any:
    """The value that a YAML text describes; raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Yaml)


def reason(error: OSError | UnicodeDecodeError | yaml.YAMLError) -> str:
    """What is wrong with a YAML file, and in which line where that is known."""
    if isinstance(error, OSError):
        return f"it cannot be read ({error.strerror})"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return "it is not text" if isinstance(error, UnicodeDecodeError) else str(error).splitlines()[0]
