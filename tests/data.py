"""Where tests and benchmarks find real data: $NEUROGEN_DATA, then a folder shared/data beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def find_data(name: str) -> Path | None:
    """The path of a data file or folder such as "n-mnist/n-mnist-1100.zip", or None where it is absent."""
    for folder in (os.environ.get("NEUROGEN_DATA"), ROOT.parent / "shared" / "data"):
        if folder and (path := Path(folder) / name).exists():
            return path
    return None


def data_path(name: str) -> Path:
    """The path of a data file; skips the calling test, with the reason, where it is absent."""
    path = find_data(name)
    if path is None:
        pytest.skip(f"{name} is not under $NEUROGEN_DATA nor in ../shared/data")
    return path
