"""Samples as a data set on disk: recordings by label in four formats, arrays, an index, pictures and a page.

    Train/<label>/<n>.bin   aedat4/<label>/<n>.aedat4   hdf5/<label>/<n>.h5   aedat/<label>/<n>.aedat
    images/<label>/<n>.png
    samples.npz   index.csv   samples.html   samples.gif   samples.png   unfolded.png

samples.npz: labels, codes or latents (shaped as in `Samples`), and counts with edges or images. Images that are asked
for as recordings, as GIF or as a page are filmed (`filming.py`); a README.md then says so. The folder is filled beside
its final name and renamed when complete.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from event_tools import Events, write
from event_tools.atomic import filling
from neurogen.filming import NOTE, filmed
from neurogen.model import Model, Samples
from neurogen.pictures import colour_counts, frame_strip, image_grid, save_png

RECORDING_FORMATS = {
    "bin": ("Train", ".bin"),
    "aedat4": ("aedat4", ".aedat4"),
    "hdf5": ("hdf5", ".h5"),
    "aedat": ("aedat", ".aedat"),  # AEDAT 2.0, by the convention of the training recordings
}
FORMATS = (*RECORDING_FORMATS, "gif", "html", "png", "npz")
MOVING = {*RECORDING_FORMATS, "gif", "html"}  # of images: what they have to be filmed for
# No aedat: its convention matters to those who read it.
DEFAULT_FORMATS = {True: ("bin", "aedat4", "hdf5", "gif", "html", "png", "npz"), False: ("png", "npz")}
SHOWN = 40  # recordings on the page and in the GIF


class OutputError(ValueError):
    """An output folder or format that cannot be used; the text is one sentence."""


def write_samples(
    samples: Samples,
    model: Model,
    out: str | Path,
    formats: Sequence[str] = (),
    seed: int = 0,
    options: dict[str, Any] | None = None,
    unfold: bool = False,
) -> Path:
    """Write samples into the new folder `out`; options are recorded in every file. Raises OutputError."""
    out = Path(out)
    formats = check_formats(formats, model.makes_recordings)
    check_free(out)
    with filling(out) as partial:
        _fill(partial, samples, model, formats, seed, options or {}, unfold)
    return out


def check_formats(formats: Sequence[str], recordings: bool) -> tuple[str, ...]:
    """The formats to write; empty takes those of what the model makes. Raises OutputError for one that is unknown."""
    for name in formats:
        if name not in FORMATS:
            raise OutputError(f"expected --to to list some of {','.join(FORMATS)}, got {name!r}")
    return tuple(formats) or DEFAULT_FORMATS[recordings]


def check_free(out: Path) -> None:
    """Raises OutputError unless `out` can be made: it must be absent or an empty folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(
            f"expected --out to be a new or empty folder, {out} is in use; take another name or remove it"
        )


def _fill(
    folder: Path,
    samples: Samples,
    model: Model,
    formats: Sequence[str],
    seed: int,
    options: dict[str, Any],
    unfold: bool,
) -> None:
    rows: list[tuple[Any, ...]] = []
    names = [f"{n:05d}" for n in range(len(samples))]
    common = {
        "generator": f"neurogen {version('neurogen')}",
        "model_sha256": model.stored.sha256,
        "seed": seed,
        **{key: _plain(value) for key, value in options.items() if value is not None},
    }
    recordings: list[Events] = []
    if samples.counts is not None:
        recordings = samples.recordings()
        if "png" in formats:
            save_png(folder / "samples.png", image_grid(colour_counts(samples.counts.sum(1))))
    elif samples.images is not None and MOVING & set(formats):
        recordings = filmed(samples.images, samples.seeds)
        common["recorded"] = NOTE
        (folder / "README.md").write_text(_filming_note(recordings[0].sensor_size), encoding="utf-8")
    if recordings:
        _write_recordings(folder, samples, recordings, names, formats, common, rows, model)
        _write_views(folder, samples, recordings, formats, model.classes)
    if unfold and samples.counts is not None:
        save_png(folder / "unfolded.png", frame_strip(samples.counts[:SHOWN]))
    if samples.images is not None and "png" in formats:
        _write_images(folder, samples, names, rows, model.classes)
        save_png(folder / "samples.png", image_grid(samples.images))
    if "npz" in formats:
        arrays = {"labels": samples.labels}
        arrays |= {"codes": samples.codes} if samples.codes is not None else {"latents": samples.latents}
        if samples.counts is not None:
            arrays |= {"counts": samples.counts, "edges": samples.edges}
        else:
            arrays["images"] = samples.images
        np.savez_compressed(folder / "samples.npz", **arrays)
    with open(folder / "index.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "label", "seed", "events", "duration_us", "sha256"))
        writer.writerows(rows)


def _filming_note(sensor: tuple[int, int]) -> str:
    return (
        f"The model made images. The recordings are these {NOTE}, on a sensor of {sensor[0]}x{sensor[1]} pixels, "
        "each with its sample's seed; no event was made by the network.\n"
    )


def _plain(value: Any) -> Any:
    """Fractions as text: faery refuses an AEDAT 4 file whose notes have an attribute of type double."""
    return str(value) if isinstance(value, float) else value


def _write_recordings(
    folder: Path,
    samples: Samples,
    recordings: list[Events],
    names: list[str],
    formats: Sequence[str],
    common: dict[str, Any],
    rows: list[tuple[Any, ...]],
    model: Model,
) -> None:
    classes, data = model.classes, model.config.data
    edges = " ".join(map(str, samples.edges.tolist())) if samples.edges is not None else ""
    for kind in formats:
        if kind not in RECORDING_FORMATS:
            continue
        top, suffix = RECORDING_FORMATS[kind]
        for n, (name, events) in enumerate(zip(names, recordings, strict=True)):
            label = classes[samples.labels[n]]
            stem = f"cifar10_{label}_{n}" if (kind, data.name) == ("aedat", "dvs_cifar10") else name
            path = folder / top / label / f"{stem}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            provenance = {**common, "index": n, "label": label, **({"edges_us": edges} if edges else {})}
            if kind in ("bin", "aedat"):  # which have no place for it
                write(path, events, convention=data.convention if kind == "aedat" else None)
            else:
                write(path, events, provenance=provenance)
            rows.append(_row(folder, path, label, int(samples.seeds[n]), events))


def _write_images(
    folder: Path, samples: Samples, names: list[str], rows: list[tuple[Any, ...]], classes: tuple[str, ...]
) -> None:
    assert samples.images is not None
    for n, (name, image) in enumerate(zip(names, samples.images, strict=True)):
        label = classes[samples.labels[n]]
        path = folder / "images" / label / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_png(path, image)
        rows.append(_row(folder, path, label, int(samples.seeds[n]), None))


def _write_views(
    folder: Path, samples: Samples, recordings: list[Events], formats: Sequence[str], classes: tuple[str, ...]
) -> None:
    shown = [(classes[label], events) for label, events in zip(samples.labels, recordings, strict=True)][:SHOWN]
    if "html" in formats:
        from event_tools.viewer import write_page

        title = "generated recordings" if samples.counts is not None else "generated images, filmed"
        write_page(folder / "samples.html", shown, title=title)
    if "gif" in formats:
        from event_tools.viewer import write_gif

        write_gif(folder / "samples.gif", shown)


def _row(folder: Path, path: Path, label: str, seed: int, events: Events | None) -> tuple[Any, ...]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    count, duration = (len(events), events.duration_us) if events is not None else ("", "")
    return (path.relative_to(folder).as_posix(), label, seed, count, duration, digest)
