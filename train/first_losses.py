"""The losses of the first steps of a model's configurations, recorded beside it so that a test can find them again.

    python -m train.first_losses mnist-tiny [--data PATH]

writes losses.json into the shipped model's folder:

    cpu, torch    where the losses are bitwise these; elsewhere they are near
    first_stage   of tts_vqvae/<name> as it stands, on its whole data set
    prior         of prior/<name>, on the codes that the shipped first stage gives PRIOR_ITEMS unshifted training items:
                  those of all of them would take minutes

The CPU computes them, in the threads that the configuration says, neurons not compiled.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from event_tools.atomic import replacing
from neurogen import pretrained
from neurogen.config import Config, PriorConfig, load_config
from neurogen.model_folder import load_model, save_model
from neurogen.training.device import repeatable
from neurogen.training.engine import one_step, system_of
from neurogen.training.order import check_batch
from neurogen.training.precision import check_precision
from train import find_config
from train.hardware import cpu_name

STEPS = 20
PRIOR_ITEMS = 256
STAGES = {"first_stage": "tts_vqvae", "prior": "prior"}
FILE = "losses.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a shipped model, whose configurations have the same name")
    parser.add_argument("--data", type=Path, help="the data set; else where its configuration finds it")
    options = parser.parse_args()
    folder = pretrained.find(options.name)
    if folder is None:
        raise SystemExit(f"expected a shipped model, {pretrained.unknown(options.name, pretrained.model_names())}")
    with replacing(folder / FILE) as temporary:
        temporary.write_text(json.dumps(recorded(folder, options.data), indent=1) + "\n", encoding="utf-8")
    print(folder / FILE)


def recorded(folder: Path, data: Path | None = None) -> dict[str, Any]:
    """What losses.json says of a model folder that is called as its configurations are."""
    losses = {stage: losses_of(folder, stage, data) for stage in STAGES}
    return {"cpu": cpu_name(), "torch": torch.__version__, "prior_items": PRIOR_ITEMS, **losses}


def losses_of(folder: Path, stage: str, data: Path | None = None) -> list[float]:
    """The losses of the first STEPS of a stage's configuration; the prior's on the folder's own first stage."""
    overrides = [] if data is None or stage == "prior" else [f"data.path={data}"]
    config = load_config(find_config(f"{STAGES[stage]}/{folder.name}"), overrides)
    with tempfile.TemporaryDirectory() as room:
        if isinstance(config, PriorConfig):
            first = _of_few_items(folder, Path(room) / "first_stage", data)
            config = config.model_copy(update={"first_stage": str(first), "shift": 0})
        return first_losses(config, Path(room))


def first_losses(config: Config, room: Path, steps: int = STEPS) -> list[float]:
    """Losses of the first steps, on the CPU, as training has them. room: a folder for codes."""
    device, threads = torch.device("cpu"), torch.get_num_threads()
    check_precision(config.train.precision, device)
    torch.set_num_threads(config.train.threads or threads)
    try:
        with repeatable():
            torch.manual_seed(config.seed)
            system = system_of(config)(config, device, room)
            check_batch(config.train.batch_size, system.items)
            return [one_step(system, step, logging=True)["total"] for step in range(steps)]
    finally:
        torch.set_num_threads(threads)


def _of_few_items(folder: Path, out: Path, data: Path | None) -> Path:
    """The first stage of a model folder, said to have learnt from PRIOR_ITEMS items."""
    stored = load_model(folder)
    few = {"limit": PRIOR_ITEMS} | ({} if data is None else {"path": str(data)})
    stage1 = stored.config.model_copy(update={"data": stored.config.data.model_copy(update=few)})
    return save_model(
        out,
        config=stage1,
        network=stored.network,
        scaling=stored.scaling,
        data_info=stored.data_info,
        background=stored.background,
    )


if __name__ == "__main__":
    main()
