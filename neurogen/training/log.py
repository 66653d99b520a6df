"""Figures on the way: a CSV with fixed columns always, TensorBoard where asked for."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from event_tools.atomic import replacing


class MetricsLog:
    """metrics.csv in the run; rows after `step` are dropped when a run goes on from there."""

    def __init__(self, run: Path, columns: Sequence[str], step: int, tensorboard: bool) -> None:
        self.path, self.columns = run / "metrics.csv", ("step", *columns)
        rows = [row for row in read_metrics(self.path) if row["step"] <= step] if step else []
        with replacing(self.path) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(self.columns)
            writer.writerows([_cell(row.get(column)) for column in self.columns] for row in rows)
        self.board = _board(run, step) if tensorboard else None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append one row; columns without a value stay empty."""
        with open(self.path, "a", newline="") as file:
            row = [step, *(_cell(values.get(column)) for column in self.columns[1:])]
            csv.writer(file, lineterminator="\n").writerow(row)
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Rows of a metrics.csv, empty cells left out; an absent file or a last line cut short gives what is whole."""
    if not path.is_file():
        return []
    with open(path, newline="") as file:
        reader = csv.reader(file)
        columns = next(reader, [])
        rows = [dict(zip(columns, row, strict=True)) for row in reader if len(row) == len(columns)]
    return [{name: float(value) for name, value in row.items() if value} for row in rows]


def _cell(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def check_tensorboard() -> None:
    """Raises ImportError with the pip line where TensorBoard is missing."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise ImportError("train.tensorboard=true needs tensorboard: pip install 'neurogen[logging]'") from error


def _board(run: Path, step: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(run / "tensorboard"), purge_step=step + 1 if step else None)
