"""Write a shipped model's decoder for chips beside it.

    python -m train.pack_decoder fashion-tiny [--data PATH]

runs `neurogen export` on the model and keeps decoder.net, decoder.net.json, decoder.nir and report.json in
neurogen/pretrained/<name>-decoder/, which is replaced, with a card.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from neurogen import pretrained
from neurogen.exporting import ExportOptions, export_model, summary
from neurogen.model import Model, load
from neurogen.model_card import DATA_LICENCES

KEPT = ("decoder.net", "decoder.net.json", "decoder.nir", "report.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a shipped model")
    parser.add_argument("--data", type=Path, help="its data set; else where its configuration finds it")
    options = parser.parse_args()
    try:
        print(pack_decoder(load(options.name), options.name, pretrained.HERE, options.data))
    except (ValueError, OSError) as error:
        parser.exit(2, f"train.pack_decoder: {error}\n")


def pack_decoder(model: Model, name: str, out: Path, data: Path | None = None) -> Path:
    """Write the folder out/<name>-decoder and return it; raises OutputError, DataError, `export.Refusal`."""
    target = out / f"{name}-decoder"
    with tempfile.TemporaryDirectory(dir=out) as room:
        figures = export_model(model, Path(room) / "exported", data, ExportOptions())
        folder = Path(room) / target.name
        folder.mkdir()
        for file in KEPT:
            shutil.copy(Path(room) / "exported" / file, folder / file)
        (folder / "README.md").write_text(_card(model, name, figures), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(folder, target)
    return target


def _card(model: Model, name: str, figures: dict[str, Any]) -> str:
    said = summary(figures, Path())
    del said["report"]
    differ = f"{said['differ float - simulated']:,} of {said['steps of a neuron compared']:,}"
    facts = {
        "figures": f"{said['neurons']:,} neurons, spikes that differ from the trained model's: {differ}",
        "files": "decoder.net and its sidecar for lava-dl netx (Loihi 2), decoder.nir for NIR, report.json",
        "of the model with sha256": model.stored.sha256,
        "data licence": DATA_LICENCES.get(model.config.data.name, "that of the data"),
        "code licence": "Apache-2.0",
        **said,
    }
    return "\n".join(
        [
            f"# {name}-decoder",
            "",
            f"The decoder of {name} for neuromorphic chips: what enters it is rows of the codebook, what leaves it is "
            "the spikes before the last convolution.",
            "",
            *(f"- {key}: {value}" for key, value in facts.items()),
            "",
            "```",
            f"neurogen export {name} --to netx,nir --out decoder",
            "```",
            "",
            "writes these files again, with the samples and the page that are not here.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
