"""What `neurogen plot` draws: the curves of a run, and a trained model at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from neurogen.data.errors import DataError
from neurogen.model import load
from neurogen.model_folder import ModelFolderError, find_model
from neurogen.plots.items import items_of
from neurogen.plots.models import plot_model
from neurogen.plots.runs import plot_run
from neurogen.sampling import OutputError


def plot_all(what: str, out: Path | None, data: Path | None, say: Callable[[str], None]) -> Iterator[Path]:
    """Paths of the pictures of a run, a model folder or a model that ships, as they are written into `out`.

    A run's own pictures lie in RUN/pictures unless `out` says otherwise. data: what to read instead of the model's
    own. say: takes a sentence on what could not be as asked. Raises OutputError, DataError, ModelFolderError,
    TrainingError.
    """
    run = Path(what)
    is_run = (run / "metrics.csv").is_file()
    if out is None and not is_run:
        find_model(what)
        raise OutputError(f"expected --out FOLDER for the pictures of {what}, got none; only a run keeps its own")
    folder = run / "pictures" if out is None else out
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"expected --out to be a folder, {folder} is none; take another name")
    if is_run:
        yield from plot_run(run, folder)
    try:
        model = load(what)
    except ModelFolderError:
        if is_run and not (run / "model").exists():  # it is not finished
            return
        raise
    try:
        items = items_of(model, data)
    except DataError as error:
        if data is not None or not is_run:
            raise
        say(f"no pictures of its spikes: {error}")
        return
    if not items.real and model.encodes:
        say("the model's data is not here: its neurons are shown at work on its own samples")
    yield from plot_model(model, folder, items)
