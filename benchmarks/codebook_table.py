"""The rows of `benchmarks/codebooks.py` as markdown, and one picture: variants as rows, time as columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurogen.pictures import colour_counts
from neurogen.plots import dark

Row = dict[str, Any]
SHOWN_DIGITS = (2, 3, 7)
REALISM = ("count_w1", "on_share_w1", "log_isi_w1", "rate_tv", "spatial_js", "pixel_tv", "alternation", "support")


def tables(out: Path, titles: Mapping[str, str]) -> str:
    """Markdown of every set in `out` that has rows."""
    parts = []
    for name, rows in found(out, titles).items():
        parts += [f"### {name}", _main(rows, titles), _realism(rows, titles), _probes(rows, titles)]
        if (times := out / name / "times.json").is_file():
            parts.append(_times(json.loads(times.read_text()), titles))
    return "\n\n".join(parts)


def found(out: Path, titles: Mapping[str, str]) -> dict[str, dict[str, Row]]:
    """{set: {variant: row}}, in the order of `titles`."""
    sets = {}
    for folder in sorted(path for path in out.iterdir() if path.is_dir()):
        rows = {key: json.loads((folder / f"{key}.json").read_text()) for key in titles if _there(folder, key)}
        if rows:
            sets[folder.name] = rows
    return sets


def draw(out: Path, titles: Mapping[str, str]) -> None:
    """OUT/codebooks.png: a real recording, then what each variant invented, its T frames side by side, three digits."""
    from matplotlib.figure import Figure

    drawn = {
        name: [key for key in rows if (out / name / f"{key}.npz").is_file()]
        for name, rows in found(out, titles).items()
    }
    lines = [(name, key) for name, keys in drawn.items() if keys for key in ("real", *keys)]
    with dark():
        figure = Figure(figsize=(12, 0.95 * len(lines)))
        axes = figure.subplots(len(lines), 1, squeeze=False, gridspec_kw={"hspace": 0.05})[:, 0]
        for axis, (name, key) in zip(axes, lines, strict=True):
            source = key if key != "real" else drawn[name][0]
            with np.load(out / name / f"{source}.npz") as arrays:
                counts = arrays["real" if key == "real" else "generated"][list(SHOWN_DIGITS)]  # (3, T, 2, H, W)
            axis.imshow(np.moveaxis(_strip(counts), 0, -1), interpolation="nearest")
            title = "real" if key == "real" else titles[key]
            axis.set_ylabel(f"{name}: {title}", rotation=0, ha="right", va="center", fontsize=8)
            axis.set_xticks([])
            axis.set_yticks([])
        figure.savefig(out / "codebooks.png", dpi=110, bbox_inches="tight")


def _strip(counts: NDArray[np.integer]) -> NDArray[np.uint8]:
    """(D, T, 2, H, W) counts of D digits as one row of frames (3, H, .), a gap after each digit."""
    frames = colour_counts(counts, top=8.0)
    digits = [np.pad(np.concatenate(list(digit), -1), [(0, 0), (0, 0), (0, 8)], constant_values=40) for digit in frames]
    return np.concatenate(digits, -1)


def _there(folder: Path, key: str) -> bool:
    return (folder / f"{key}.json").is_file()


def _main(rows: Mapping[str, Row], titles: Mapping[str, str]) -> str:
    columns: dict[str, Callable[[Row], str]] = {
        "bits a site": lambda r: f"{r['bits_per_site']:.0f}",
        "squared error": lambda r: f"{r['mse']:.3f}",
        "codes used": _use,
        "bits of codes: training": lambda r: f"{r['bits']['train']:.0f}",
        "held out (best, at step)": lambda r: (
            f"{r['bits']['validation']:.0f} ({r['best_validation_bits']:.0f}, {r['best_validation_step']} of "
            f"{r['prior_steps']})"
        ),
        "test": lambda r: f"{r['bits']['test']:.0f}",
        "bits of counts given codes": lambda r: f"{r['counts_bits']:.0f}",
        "in all": lambda r: f"{r['total_bits']:.0f}",
        "read: real, rebuilt, generated": lambda r: ", ".join(f"{100 * v:.0f} %" for v in r["recognised"].values()),
        "seconds: first stage, prior, 200 samples": lambda r: ", ".join(
            "-" if v is None else f"{v:.0f}" for v in r["seconds"].values()
        ),
    }
    return _markdown("codes", columns, {titles[key]: row for key, row in rows.items()})


def _use(row: Row) -> str:
    use = row["use"]
    if "perplexity" in use:
        return f"perplexity {use['perplexity']:.0f}, {use['dead_codes']:.0f} dead"
    return f"{use['bit_entropy']:.2f} bits each, {use['dead_bits']:.0f} dead"


def _realism(rows: Mapping[str, Row], titles: Mapping[str, str]) -> str:
    first = next(iter(rows.values()))
    lines = {"floor: training recordings": first["realism"]["floor"]}
    lines |= {f"{titles[key]}, reconstructed": row["realism"]["reconstructed"] for key, row in rows.items()}
    lines |= {f"{titles[key]}, generated": row["realism"]["generated"] for key, row in rows.items()}
    return _markdown("distance to the test", {n: lambda r, n=n: f"{r[n]:.3f}" for n in REALISM}, lines)


def _probes(rows: Mapping[str, Row], titles: Mapping[str, str]) -> str:
    names = list(next(iter(rows.values()))["probes"])
    parts = []
    for figure, what in (("mse", "squared error"), ("cell_tv", "histogram of counts"), ("rate_tv", "rate curve")):
        columns = {n: lambda r, n=n, figure=figure: f"{r['probes'][n][figure]:.3f}" for n in names}
        parts.append(_markdown(f"{what}, slices", columns, {titles[key]: row for key, row in rows.items()}))
    return "\n\n".join(parts)


def _times(times: Row, titles: Mapping[str, str]) -> str:
    columns: dict[str, Callable[[Row], str]] = {
        "first stage, a step": lambda r: f"{1000 * r['first_stage_step']:.1f} ms",
        "prior, a step": lambda r: f"{1000 * r['prior_step']:.1f} ms",
        f"{times['samples']} samples": lambda r: f"{r['samples']:.2f} s",
    }
    return _markdown(f"alone on {times['device']}", columns, {titles[k]: row for k, row in times["seconds"].items()})


def _markdown(corner: str, columns: Mapping[str, Callable[[Row], str]], rows: Mapping[str, Row]) -> str:
    head = f"| {' | '.join((corner, *columns))} |\n|{'---|' * (len(columns) + 1)}"
    body = (f"| {title} | {' | '.join(show(row) for show in columns.values())} |" for title, row in rows.items())
    return "\n".join((head, *body))
