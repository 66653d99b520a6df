"""N-MNIST recordings prepared per second: from listing the files to counts in a memory-mapped cache, synced to disk.

    python benchmarks/preparation.py [--times 20] [--steps 4] [--folder /tmp]

The real recordings under $NEUROGEN_DATA (or ../shared/data) are laid out `times` times over, as a folder of .bin files
and as one .zip, and prepared with and without denoising. One JSON line per figure. `pages`: "warm" has the source in
the page cache, "dropped" was synced and the kernel asked to forget it (files on a memory disk stay). `again` is opening
what was prepared before. Peers bin the same recordings file by file, a share of them where they are slow: plain numpy;
SpikingJelly's and tonic's readers and binning, each where it is installed (tonic's denoise too). They keep frames in
memory and write no cache. `cpu` is processor time, of all threads, in recordings per second.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from event_tools.bulk import nmnist_counts
from event_tools.datasets import open_recordings
from neurogen.config import DataConfig
from neurogen.data.recordings import prepared_counts
from tests.data import find_data

ARCHIVE = "n-mnist/n-mnist-1100.zip"
SIZE = (34, 34)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="copies of the 1,100 recordings")
    parser.add_argument("--steps", type=int, default=4, help="T, time bins")
    parser.add_argument("--folder", help="where to work; the system's folder for temporary files by default")
    options = parser.parse_args()
    archive = find_data(ARCHIVE)
    if archive is None:
        raise SystemExit(f"{ARCHIVE} is not under $NEUROGEN_DATA nor in ../shared/data")
    nmnist_counts([bytes(5)], options.steps)  # compiles, or reads what was compiled before
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        os.environ["NEUROGEN_CACHE"] = str(Path(place) / "cache")
        folder, packed = lay_out(archive, options.times, Path(place))
        for source in (folder, packed):
            ours(source, options.steps)
        peers(folder, options.steps)


def lay_out(archive: Path, times: int, place: Path) -> tuple[Path, Path]:
    """The recordings as <folder>/<split>/<label>/<copy>-<number>.bin and the same as a .zip."""
    folder, packed = place / "recordings", place / "recordings.zip"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in (name for name in source.namelist() if name.endswith(".bin")):
            data, file = source.read(name), folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            for copy in range(times):
                member = file.with_name(f"{copy}-{file.name}")
                member.write_bytes(data)
                target.writestr(member.relative_to(folder).as_posix(), data)
    return folder, packed


def ours(source: Path, steps: int) -> None:
    """Prepare the source with each denoising, the first of all from dropped pages too."""
    for denoise, pages in (("off", "dropped"), ("off", "warm"), ("published", "warm"), ("corrected", "warm")):
        config = DataConfig(name="nmnist", path=str(source), denoise=denoise)
        common: dict[str, Any] = {"by": "neurogen", "source": source.suffix or "folder", "denoise": denoise}
        shutil.rmtree(os.environ["NEUROGEN_CACHE"], ignore_errors=True)
        (drop if pages == "dropped" else warm)(source)
        count = timed(lambda config=config: prepare(source, config, steps), pages=pages, **common)
        if pages == "warm" and denoise == "off":
            timed(lambda config=config: prepare(source, config, steps), pages="again", **common)
    print(f"{source.name}: {count} recordings", file=sys.stderr)


def prepare(source: Path, config: DataConfig, steps: int) -> int:
    counts, _ = prepared_counts(open_recordings(source, None, SIZE), config, steps)
    return len(counts)


def peers(folder: Path, steps: int) -> None:
    """The same files, one by one, as each peer's own data set class does it."""
    files = sorted(folder.rglob("*.bin"))
    warm(folder)
    each(files[:: max(1, len(files) // 2200)], lambda file: plain_numpy(file, steps), by="numpy", denoise="off")
    try:
        from spikingjelly.datasets.utils import integrate_events_by_fixed_frames_number, load_ATIS_bin
    except ImportError as error:
        print(f"SpikingJelly's data sets: {error}", file=sys.stderr)
    else:

        def spikingjelly(file: Path) -> Any:
            return integrate_events_by_fixed_frames_number(load_ATIS_bin(str(file)), "time", steps, 34, 34)

        each(files[:: max(1, len(files) // 1100)], spikingjelly, by="spikingjelly", denoise="off")
    try:
        import tonic
        from tonic import transforms
    except ImportError as error:
        print(f"tonic: {error}", file=sys.stderr)
    else:
        bins = transforms.ToFrame(sensor_size=(34, 34, 2), n_time_bins=steps)
        quiet = transforms.Compose([transforms.Denoise(10_000), bins])
        for share, change, denoise in ((1100, bins, "off"), (200, quiet, "published")):

            def with_tonic(file: Path, change: Callable[[Any], Any] = change) -> Any:
                return change(tonic.io.read_mnist_file(str(file), dtype=tonic.io.events_struct))

            each(files[:: max(1, len(files) // share)], with_tonic, by="tonic", denoise=denoise)


def plain_numpy(file: Path, steps: int) -> np.ndarray:
    """What a script without a library does: decode with array operations, one np.add.at."""
    data = np.fromfile(file, np.uint8).astype(np.int64).reshape(-1, 5)
    x, y, p = data[:, 0], data[:, 1], data[:, 2] >> 7
    t = (data[:, 2] & 127) << 16 | data[:, 3] << 8 | data[:, 4]
    width = max((t[-1] - t[0]) // steps, 1)
    frames = np.zeros((steps, 2, 34, 34), np.int32)
    np.add.at(frames, (np.minimum((t - t[0]) // width, steps - 1), p, y, x), 1)
    return frames


def each(files: list[Path], work: Callable[[Path], Any], **settings: Any) -> None:
    work(files[0])
    timed(lambda: len([work(file) for file in files]), source="folder", pages="warm", **settings)


def timed(work: Callable[[], int], **settings: Any) -> int:
    """Run once, print recordings per second of time and of processor time; returns the count."""
    clock, cpu = time.perf_counter(), time.process_time()
    count = work()
    seconds, busy = time.perf_counter() - clock, time.process_time() - cpu
    line = {"benchmark": "preparation", "figure": "recordings", **settings, "count": count}
    line |= {"value": round(count / seconds), "unit": "1/s", "cpu": round(count / max(busy, 1e-9))}
    print(json.dumps(line), flush=True)
    return count


def warm(source: Path) -> None:
    for file in files_of(source):
        file.read_bytes()


def drop(source: Path) -> None:
    """Sync the files and ask the kernel to drop their pages, where the system has that call."""
    os.sync()
    for file in files_of(source):
        with open(file, "rb") as handle:
            os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def files_of(source: Path) -> Iterable[Path]:
    return [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]


if __name__ == "__main__":
    main()
