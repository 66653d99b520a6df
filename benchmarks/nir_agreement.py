"""Do SpikingJelly, snnTorch and norse run a NIR file to the spikes that its network makes? One JSON line a simulator.

    python benchmarks/nir_agreement.py FILE.nir ...

FILE.npz beside it: input (T, N, ...) and output (T, N, ...), spikes as the file's nodes have them. Runs where those
three are installed (`make test-interop-nir` builds such an environment) and needs none of this project. sinabs is left
out: it counts tau in steps, resets by subtraction, has no CubaLIF and ignores r and v_reset, so it needs LIF with
tau' = -1 / ln(1 - dt / tau), weights times the gain, MembraneReset, SingleSpike and min_v_mem=None set by hand.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

DT = 1e-4


def spikingjelly(path: str, frames: torch.Tensor) -> torch.Tensor:
    """Its state is returned and handed back at each step."""
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return _threaded(import_from_nir(path, dt=DT), frames)


def snntorch(path: str, frames: torch.Tensor) -> torch.Tensor:
    """dt is 1e-4 in its source; neurons keep their state."""
    import nir
    from snntorch.import_nir import import_from_nir

    module = import_from_nir(nir.read(path))
    outputs = [module(frame) for frame in frames]
    return torch.stack([out[0] if isinstance(out, tuple) else out for out in outputs])


def norse(path: str, frames: torch.Tensor) -> torch.Tensor:
    """Its own dt would be 1e-3."""
    import nir
    import norse.torch

    return _threaded(norse.torch.from_nir(nir.read(path), dt=DT), frames)


SIMULATORS: dict[str, Callable[[str, torch.Tensor], torch.Tensor]] = {
    "spikingjelly": spikingjelly,
    "snntorch": snntorch,
    "norse": norse,
}


def _threaded(module: Any, frames: torch.Tensor) -> torch.Tensor:
    state, outputs = None, []
    for frame in frames:
        out, state = module(frame, state)
        outputs.append(out)
    return torch.stack(outputs)


def main() -> None:
    """Compare all three on every file; exits 1 where an entry differs."""
    warnings.simplefilter("ignore")
    differing = 0
    for path in map(Path, sys.argv[1:]):
        with np.load(path.with_suffix(".npz")) as stored:
            frames, expected = torch.from_numpy(stored["input"]).float(), stored["output"]
        for name, simulate in SIMULATORS.items():
            figures = {"file": path.stem, "simulator": name, "version": version(name), "entries": expected.size}
            try:
                with contextlib.redirect_stdout(sys.stderr), torch.no_grad():
                    found = simulate(str(path), frames).numpy()
                figures["mismatches"] = int((found.reshape(expected.shape) != expected).sum())
            except Exception as error:  # another's simulator says no in many ways
                figures |= {"mismatches": None, "refused": f"{type(error).__name__}: {error}"[:200]}
            differing += figures["mismatches"] != 0
            print(json.dumps(figures | {"rate": round(float(np.mean(expected)), 4)}), flush=True)
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
