"""What every way of an exported network runs, so that they can be compared: held-out items, or samples of a generator.

Values are images (N, C, H, W) in [-1, 1] or scaled recordings (N, T, 2, H, W).
"""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from neurogen.data import classes_in_turn, open_data
from neurogen.model import Model
from neurogen.pictures import colour_counts, image_grid


@dataclasses.dataclass(frozen=True, eq=False)
class Compared:
    """given: what goes into the part's `inputs`, items or, of a generator, latents; labels: (N,) int64 of each;

    trained: what the model itself makes of them, in float32; data: the items, None of a generator, which has none.
    """

    given: Tensor
    labels: NDArray[np.int64]
    trained: Tensor
    data: Tensor | None

    @property
    def name(self) -> str:
        """Of the first strip of pictures."""
        return "samples" if self.data is None else "test items"

    def errors(self, values: dict[str, Tensor]) -> dict[str, dict[str, float]]:
        """Mean squared error of each way in model units: from the data, and from what the model itself makes."""
        found = {}
        for way, made in {"model": self.trained, **values}.items():
            of_data = {} if self.data is None else {"data": _error(made, self.data)}
            found[way] = {**of_data, "model": _error(made, self.trained)}
        return found

    def note(self, values: dict[str, Tensor]) -> str:
        """One sentence or two on the pictures."""
        errors = self.errors(values)
        key = "model" if self.data is None else "data"
        listed = ", ".join(f"{way} {each[key]:.4g}" for way, each in errors.items() if way != "model")
        if self.data is None:
            return (
                "Samples of the trained model, and what each way makes of their latents. Mean squared error from the "
                f"model's own, in model units: {listed}."
            )
        return (
            f"Test items, and what each way makes of them. Mean squared error from the data, in model units: {listed}; "
            f"of the simulated ones from the trained model's own {errors['simulated']['model']:.2g}."
        )

    def pictures(self, model: Model, values: dict[str, Tensor], shown: int) -> dict[str, bytes]:
        """PNG by caption: a strip of up to `shown` of them for the data and for each way, in colours of one scale."""
        first = self.trained if self.data is None else self.data
        strips = {self.name: first, **values}
        some = np.unique(np.linspace(0, len(first) - 1, shown).astype(int))  # of every class, as far as they go
        made = {name: model.finish(v[some], None, self.labels[some]) for name, v in strips.items()}
        top = None
        if made[self.name].counts is not None:
            top = max(float(np.quantile(made[self.name].counts.sum(1), 0.999)), 1.0)
        return {
            name: _png(image_grid(s.images if s.counts is None else colour_counts(s.counts.sum(1), top), shown))
            for name, s in made.items()
        }


def held_out(model: Model, data: Path | None, count: int) -> Compared:
    """Test items of the model's data, classes in turn; data: what to read instead. Raises DataError."""
    config = model.config.data if data is None else model.config.data.model_copy(update={"path": str(data)})
    test = open_data(config, model.config.model.steps, "test", scaling=model.stored.scaling)
    index = classes_in_turn(test.labels, count)
    x = test.batch(index, None)
    return Compared(x, test.labels[index], model.reconstruct(x), x)


def samples(model: Model, count: int) -> Compared:
    """Samples of a model of one network, from their latents."""
    drawn = model.sample(count)
    assert drawn.latents is not None
    latents = torch.from_numpy(drawn.latents)
    given = torch.from_numpy(drawn.labels) if model.conditional else None
    return Compared(latents, drawn.labels, model.decode(latents, labels=given), None)  # type: ignore[call-arg]


def _error(made: Tensor, wanted: Tensor) -> float:
    return float(torch.mean((made - wanted) ** 2))


def _png(image: NDArray[np.uint8]) -> bytes:
    """(C, H, W) uint8, 1 or 3 channels."""
    buffer = io.BytesIO()
    Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)).save(buffer, format="PNG")
    return buffer.getvalue()
