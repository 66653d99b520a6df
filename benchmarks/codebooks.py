"""The fair table of codebooks: what each form of codes costs, keeps and invents, on real and simulated N-MNIST.

    python benchmarks/codebooks.py --prepare simulated.zip --mnist MNIST_FOLDER --nmnist N-MNIST.zip
    python benchmarks/codebooks.py --nmnist N-MNIST.zip --simulated simulated.zip [--out runs/codebooks]
        [--device cuda] [--jobs 8] [--steps 1.0] [--prior-steps joint=700,...] [--sets real] [--variants temporal,joint]
    python benchmarks/codebooks.py --time [--out runs/codebooks] [--device cuda] [--sets real]
    python benchmarks/codebooks.py --table [--out runs/codebooks]

The first makes the simulated set: the digits of the real one (recording n is MNIST's image n - 1), seen by
`event_tools.simulator` along N-MNIST's saccades. The second trains every variant by `neurogen train`, then measures it
(`codebook_rows.py`), `--jobs` variants at once, in processes of their own; what is there already is kept, so it can be
stopped and given again. `--steps 0.01` is a quick look. One JSON line per variant. The third times training steps and
sampling, one after another; the last prints the tables as markdown and draws OUT/codebooks.png.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIRST_STEPS, START = 6000, 150
QUICK = 0.05  # share of the steps below which nothing is worth shifted codes


@dataclass(frozen=True)
class Variant:
    """A first stage (name of its run, configuration, settings) and a prior over its codes (configuration, settings)."""

    title: str
    first: str
    first_config: str
    first_settings: tuple[str, ...]
    prior_config: str
    prior_settings: tuple[str, ...]
    prior_steps: int


def _variant(title: str, first: str, config: str, steps: int, ours: str = "", priors: str = "") -> Variant:
    name = f"nmnist-small{config}"
    return Variant(
        title, first, f"tts_vqvae/{name}", tuple(ours.split()), f"prior/{name}", tuple(priors.split()), steps
    )


VARIANTS = {
    "temporal": _variant("temporal", "temporal", "", 700),
    "independent": _variant("per step, independent", "per_step", "-per-step", 1500, priors="model.over=step"),
    "joint": _variant("per step, joint", "per_step", "-per-step", 1500),
    "spike": _variant("spike, 8 bits", "spike", "-spike", 1500, priors="model.bits_in_turn=false"),
    "turn": _variant("spike, bits in turn", "spike", "-spike", 1500),
    "repeated": _variant("temporal, slices repeated", "repeated", "-repeated", 700),
    # as many bits a site as the temporal codes have
    "joint-4": _variant(
        "per step of 4 rows, joint", "per_step-4", "-per-step", 1500, "codebook.size=4", "model.codes=4"
    ),
    "spike-2": _variant(
        "spike, 2 bits", "spike-2", "-spike", 1500, "codebook.width=2", "model.bits=2 model.bits_in_turn=false"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepare", type=Path, help="write the simulated set into this .zip")
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's idx files, for --prepare")
    parser.add_argument("--nmnist", type=Path, help="real N-MNIST")
    parser.add_argument("--simulated", type=Path, help="what --prepare wrote")
    parser.add_argument("--out", type=Path, default=Path("runs/codebooks"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--steps", type=float, default=1.0, help="factor of all training lengths")
    parser.add_argument("--prior-steps", default="", help="lengths of priors before that factor: joint=700,spike=900")
    parser.add_argument("--sets", default="real,simulated")
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare, options.mnist, options.nmnist)
    elif options.time:
        from codebook_times import time_all

        for name in options.sets.split(","):
            time_all(options.out / name, [(key, v.first) for key, v in VARIANTS.items()], options.device)
    elif options.table:
        from codebook_table import draw, tables

        titles = {key: variant.title for key, variant in VARIANTS.items()}
        print(tables(options.out, titles))
        draw(options.out, titles)
    else:
        data = {"real": options.nmnist, "simulated": options.simulated}
        run_all({name: data[name].resolve() for name in options.sets.split(",")}, options)


def prepare(path: Path, mnist: Path, real: Path) -> None:
    """The digits of the real recordings once more, simulated: an archive with the same names."""
    from event_tools import write
    from event_tools.atomic import replacing
    from event_tools.simulator import simulate
    from neurogen.config import DataConfig
    from neurogen.data.idx import open_idx_data

    config = DataConfig(name="mnist", resolution=28, channels=1, fit="none")
    digits = {split: open_idx_data(config, mnist, split.lower()) for split in ("Train", "Test")}
    with zipfile.ZipFile(real) as archive:
        names = [name for name in archive.namelist() if name.endswith(".bin")]
    with (
        replacing(path) as temporary,
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in sorted(names):
            split, label, file = name.split("/")
            n = int(Path(file).stem) - 1
            if str(digits[split].labels[n]) != label:
                raise SystemExit(f"{name}: expected MNIST's label {digits[split].labels[n]}; is this N-MNIST's order?")
            events = simulate(digits[split].pixels[n, 0] / 255.0, (34, 34), seed=n + 60_000 * (split == "Test"))
            write(Path(folder) / file, events)
            archive.write(Path(folder) / file, name)


def run_all(data: dict[str, Path], options: argparse.Namespace) -> None:
    """Train and measure every variant on every set; first stages go first, since priors wait for them."""
    from neurogen.config import load_config
    from neurogen.data import open_data
    from train import find_config

    for path in data.values():  # counts are cached once, before many processes want them
        config = load_config(find_config("tts_vqvae/nmnist-small"), [f"data.path={path}"])
        open_data(config.data, config.model.steps, "train")
        open_data(config.data, config.model.steps, "test")
    chosen = {key: VARIANTS[key] for key in options.variants.split(",")}
    failures = []
    with ThreadPoolExecutor(options.jobs) as pool:
        firsts: dict[Path, Future[None]] = {}
        rows = []
        for name in data:
            for variant in chosen.values():
                run = options.out / name / f"first-{variant.first}"
                if run not in firsts:
                    firsts[run] = pool.submit(train_first, run, variant, data[name], options)
        for name in data:
            for key, variant in chosen.items():
                first = options.out / name / f"first-{variant.first}"
                rows.append(pool.submit(finish_row, firsts[first], first, name, key, variant, data[name], options))
        for row in rows:
            try:
                print(json.dumps(row.result()), flush=True)
            except subprocess.CalledProcessError as error:
                failures.append(f"{' '.join(map(str, error.cmd))}\n{error.stderr[-2000:]}")
    for failure in failures:
        sys.stderr.write(f"failed: {failure}\n")
    raise SystemExit(1 if failures else 0)


def train_first(run: Path, variant: Variant, path: Path, options: argparse.Namespace) -> None:
    steps = max(3, round(FIRST_STEPS * options.steps))
    settings = [f"data.path={path}", *variant.first_settings]
    if steps < 10 * START:
        settings.append(f"codebook.start={max(1, steps // 10)}")
    train(run, variant.first_config, settings, steps, options)


def finish_row(
    ready: Future[None],
    first: Path,
    name: str,
    key: str,
    variant: Variant,
    path: Path,
    options: argparse.Namespace,
) -> dict[str, object]:
    ready.result()
    prior, row = options.out / name / f"prior-{key}", options.out / name / f"{key}.json"
    own = dict(pair.split("=") for pair in options.prior_steps.split(",") if pair)
    steps = max(3, round(int(own.get(key, variant.prior_steps)) * options.steps))
    settings = [f"first_stage={first}", *variant.prior_settings]
    if options.steps < QUICK:
        settings.append("shift=0")  # 25 times fewer codes to compute
    train(prior, variant.prior_config, settings, steps, options)
    if not row.is_file():
        command = [HERE / "codebook_rows.py", prior, "--data", path, "--out", row, "--device", options.device]
        launch([*command, "--set", name, "--variant", key])
    return json.loads(row.read_text())


def train(run: Path, config: str, settings: list[str], steps: int, options: argparse.Namespace) -> None:
    """`neurogen train`, unless the run is finished; its seconds go beside it where nothing interrupted it."""
    if (run / "model" / "config.yaml").is_file():
        return
    settings = [*settings, f"device={options.device}", "train.threads=1", f"train.steps={steps}"]
    settings += [f"train.warmup={min(100, steps // 10)}", f"train.validate_every={steps // 15 if steps > 100 else 0}"]
    new, started = not run.exists(), time.perf_counter()
    launch(["-m", "neurogen", "train", config, *settings, "--out", run, *([] if new else ["--resume"])])
    if new:
        figures = {"seconds": round(time.perf_counter() - started, 1), "steps": steps, "jobs": options.jobs}
        run.with_name(f"{run.name}.seconds.json").write_text(json.dumps(figures))


def launch(arguments: list[object]) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    command = [sys.executable, *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)


if __name__ == "__main__":
    main()
