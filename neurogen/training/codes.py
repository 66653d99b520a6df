"""The training set's codes, computed once and kept beside the run, keyed by the first stage's checksum.

Codes lie item by item, whatever their form (`codebook/form.py`); bits are packed, eight to a byte.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_tools.atomic import replacing
from neurogen.codebook import CodeForm
from neurogen.data import open_data
from neurogen.data.augment import shifted
from neurogen.draws import Draws, uniform, whole
from neurogen.model_folder import StoredModel
from neurogen.processes import all_parts, own_parts, rank
from neurogen.progress import bar
from neurogen.training.distributed import leader_first, leader_says
from neurogen.training.errors import TrainingError

BATCH = 64


@dataclass(frozen=True)
class CodeSet:
    """stored: (V, N, *item_shape) indices, or (V, N, bytes) packed bits; variant 0 is unshifted, the rest are codes of
    shifted inputs. labels: (N,); form: what an item's codes are."""

    stored: NDArray[np.integer]
    labels: NDArray[np.int64]
    form: CodeForm

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor, draws: Draws) -> tuple[Tensor, NDArray[np.int64]]:
        """Codes (n, *item_shape) int64 and labels; about half the items take a random shifted variant, if any."""
        items, variants = index.numpy(), np.zeros(len(index), np.int64)
        if len(self.stored) > 1:
            moved = uniform(draws, len(index)) < 0.5
            choice = whole(draws, 1, len(self.stored), len(index))
            variants = torch.where(moved, choice, 0).numpy()
        return self._codes(self.stored[variants, items]), self.labels[items]

    def plain(self) -> tuple[Tensor, NDArray[np.int64]]:
        """All unshifted codes (N, *item_shape) int64 and labels."""
        return self._codes(self.stored[0]), self.labels

    def _codes(self, stored: NDArray[np.integer]) -> Tensor:
        if self.form.bits:
            flat = np.unpackbits(stored, axis=-1, count=math.prod(self.form.item_shape))
            stored = flat.reshape(-1, *self.form.item_shape)
        return torch.from_numpy(stored.astype(np.int64))


def cached_codes(
    run: Path, stored: StoredModel, shift: int, device: torch.device, data_path: str | None = None
) -> tuple[CodeSet, CodeSet]:
    """Codes of the training set (with shifted variants) and of the held-out set (validation, else test).

    data_path: of other data of the same kind, or None for those of the first stage.
    Several processes encode a share each; the file does not depend on their number. Raises TrainingError where the run
    began with the codes of another first stage.
    """
    path = run / f"codes-{stored.sha256[:16]}-{shift}.npz"
    if not leader_says(lambda: _are_there(path, stored)):
        arrays = _compute(stored, shift, device, data_path)
        with leader_first():
            if rank() == 0:
                with replacing(path) as temporary, open(temporary, "wb") as file:
                    np.savez_compressed(file, **arrays)
    form = stored.network.code_form
    with np.load(path, allow_pickle=False) as arrays:
        return (
            CodeSet(arrays["train"], arrays["train_labels"], form),
            CodeSet(arrays["held_out"], arrays["held_out_labels"], form),
        )


def _are_there(path: Path, stored: StoredModel) -> bool:
    for other in path.parent.glob("codes-*.npz"):
        if other != path:
            raise TrainingError(
                f"expected the first stage that {path.parent} began with ({other.name.split('-')[1]}), got another "
                f"({stored.sha256[:16]}); start a new run"
            )
    return path.is_file()


def compact(items: Tensor, form: CodeForm) -> NDArray[np.integer]:
    """Items (N, *item_shape) as they are stored: 16-bit indices where these suffice, or packed bits."""
    if form.bits:
        return np.packbits(items.flatten(1).to(torch.uint8).numpy(), axis=-1)
    return items.numpy().astype(np.int16 if form.size <= 1 << 15 else np.int32)


@torch.inference_mode()
def _compute(stored: StoredModel, shift: int, device: torch.device, data_path: str | None) -> dict[str, Any]:
    config, data = stored.config, stored.config.data
    if data_path is not None:
        data = data.model_copy(update={"path": data_path})
    steps, held_out = config.model.steps, "validation" if data.validation else "test"
    with leader_first():
        train = open_data(data, steps, "train", stored.scaling)
        other = open_data(data, steps, held_out, stored.scaling)
    if data_path is not None and train.classes != stored.data_info.classes:
        raise TrainingError(
            f"expected data_path={data_path} to have the first stage's {len(stored.data_info.classes)} classes "
            f"({stored.data_info.classes[0]}, ...), it has {len(train.classes)} ({train.classes[0]}, ...); "
            "give data of the same classes"
        )
    moves = [(dy, dx) for dy in range(-shift, shift + 1) for dx in range(-shift, shift + 1)]
    moves.sort(key=lambda move: move != (0, 0))
    background = stored.scaling.background if stored.scaling is not None else -1.0
    first_stage = stored.network.to(device).eval()
    form = first_stage.code_form

    def codes_of(data: Any, move: tuple[int, int], progress: Any, done: int) -> NDArray[np.integer]:
        parts, batches = [], -(-len(data) // BATCH)
        for start in (BATCH * part for part in own_parts(batches)):
            x = data.batch(np.arange(start, min(start + BATCH, len(data))))
            x = shifted(x, torch.tensor([move]).expand(len(x), 2), background)
            parts.append(compact(form.items_first(first_stage.encode(x.to(device))).cpu(), form))
            progress(done + min(start + BATCH, len(data)))
        return np.concatenate([part.numpy() for part in all_parts([torch.from_numpy(p) for p in parts], batches)])

    with bar("encoding", len(train) * len(moves) + len(other)) as progress:
        variants = [codes_of(train, move, progress, i * len(train)) for i, move in enumerate(moves)]
        held = codes_of(other, (0, 0), progress, len(moves) * len(train))
    return {
        "train": np.stack(variants),
        "train_labels": train.labels,
        "held_out": held[None],
        "held_out_labels": other.labels,
    }
