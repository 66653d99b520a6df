"""Whether the discriminator's logits run away, and what the adaptive weight lambda then is, with and without a remedy.

    python benchmarks/discriminator.py [CONFIG] [--steps 300] [--start 60] [--data PATH] [section.key=value ...]

Trains the configuration (fashion-small) once per remedy, on one thread and with one seed, with a small discriminator
from batch `start` on. One JSON line each, means over the last tenth of the steps: logits of real and of reconstructed
images and their distance (the hinge asks for 2), lambda (0: the adversarial term is off), the discriminator's loss,
R1, held-out squared error, seconds a step.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from neurogen.config import load_config
from neurogen.training.engine import train_run
from neurogen.training.log import read_metrics
from train import find_config

REMEDIES = {
    "published (batch norm)": [],
    "group norm": ["losses.discriminator_norm=group"],
    "group norm, R1 0.01": ["losses.discriminator_norm=group", "losses.r1=0.01"],
    "group norm, R1 0.1": ["losses.discriminator_norm=group", "losses.r1=0.1"],
    "spectral norm": ["losses.discriminator_norm=spectral"],
    "spectral norm, R1 0.01": ["losses.discriminator_norm=spectral", "losses.r1=0.01"],
}
SMALL = ["losses.adversarial=true", "losses.discriminator_width=32", "losses.discriminator_layers=2"]
LOG_EVERY = 10  # a multiple of r1_every, so that R1 is among the figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", default="tts_vqvae/fashion-small")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--start", type=int, default=60)
    parser.add_argument("--data", help="where the data are, if not where they are looked for")
    options, overrides = parser.parse_known_args()
    lengths = [
        f"train.steps={options.steps}",
        f"losses.adversarial_start={options.start}",
        f"train.log_every={LOG_EVERY}",
    ]
    quiet = ["train.batch_size=32", "train.threads=1", "train.validate_every=0", "train.picture_every=0"]
    data = [f"data.path={options.data}"] if options.data else []
    with TemporaryDirectory() as folder:
        for number, (name, remedy) in enumerate(REMEDIES.items()):
            config = load_config(find_config(options.config), [*SMALL, *lengths, *quiet, *data, *remedy, *overrides])
            began = time.perf_counter()
            run = train_run(config, Path(folder) / str(number))
            print(json.dumps(figures(run, options.steps, name, time.perf_counter() - began)), flush=True)


def figures(run: Path, steps: int, name: str, seconds: float) -> dict[str, object]:
    rows = [row for row in read_metrics(run / "metrics.csv") if float(row["step"]) > 0.9 * steps]

    def mean(column: str) -> float | None:
        values = [float(row[column]) for row in rows if row.get(column) not in (None, "")]
        return float(f"{sum(values) / len(values):.3g}") if values else None

    real, fake = mean("logits_real"), mean("logits_fake")
    line = {"benchmark": "discriminator", "remedy": name, "logits_real": real, "logits_fake": fake}
    if real is not None and fake is not None:
        line["apart"] = float(f"{real - fake:.3g}")
    line |= {column: mean(column) for column in ("disc_weight", "disc", "r1", "val_mse")}
    return line | {"seconds_per_step": float(f"{seconds / steps:.3g}")}


if __name__ == "__main__":
    main()
