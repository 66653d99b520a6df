"""Checkpoints: checkpoints/step_<n>.pt, written beside and renamed, the last few kept, never unpickled."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from event_tools.atomic import replacing
from neurogen.training.errors import TrainingError

FOLDER = "checkpoints"


def save_checkpoint(run: Path, step: int, state: dict[str, Any], keep: int) -> Path:
    """Write the state after `step` steps and remove all but the newest `keep`; raises OSError for a full disk."""
    folder = run / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step_{step:08d}.pt"
    with replacing(path) as temporary, open(temporary, "wb") as file:
        try:
            torch.save({"step": step, **state}, file)
        except RuntimeError as error:
            said = error.__context__
            if isinstance(said, OSError):  # torch hides what the disk said
                raise OSError(said.errno, said.strerror, str(path)) from None
            raise
    for old in _newest_first(folder)[keep:]:
        old.unlink(missing_ok=True)
    return path


def load_newest(run: Path) -> dict[str, Any] | None:
    """The newest checkpoint that can be read, on the CPU, or None where there are none.

    A damaged one is warned of and the one before taken; raises TrainingError where all are.
    """
    paths = _newest_first(run / FOLDER)
    for path in paths:
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (
            RuntimeError,
            EOFError,
            OSError,
            KeyError,
            ValueError,
            pickle.UnpicklingError,
            zipfile.BadZipFile,
        ) as error:
            warnings.warn(
                f"{path} cannot be read ({' '.join(str(error).split())[:80]}); taking the one before", stacklevel=2
            )
    if paths:
        raise TrainingError(
            f"expected a checkpoint that can be read in {run / FOLDER}, all {len(paths)} are damaged; start a new run"
        )
    return None


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step_*.pt"), reverse=True)
