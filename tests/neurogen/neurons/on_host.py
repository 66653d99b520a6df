"""The kernels of lif.cu on the CPU: the same source compiled by g++, its threads run one after the other."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurogen.neurons import launch

HERE = Path(__file__).parent
VARIANT = ("IO", "VEC", "GATE", "FLAGS", "CHUNK", "SURROGATE", "LEARNED")
C_TYPES = {np.uint64: ctypes.c_void_p, np.int64: ctypes.c_longlong, np.int32: ctypes.c_int, np.float32: ctypes.c_float}


def compile_kernels(folder: Path) -> ctypes.CDLL:
    """lif_host.cpp as a shared library in `folder`. No multiply-add is contracted, as in NVRTC with --fmad=false."""
    library = folder / "lif.so"
    sources = ["-I", str(HERE), "-I", str(Path(launch.__file__).parent), str(HERE / "lif_host.cpp")]
    command = ["g++", "-O1", "-std=c++17", "-ffp-contract=off", "-Wall", "-Wno-unknown-pragmas", "-Werror", "-fPIC"]
    done = subprocess.run([*command, "-shared", *sources, "-o", str(library)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


class OnHost:
    """Takes the place of `launch.run`; remembers what was launched."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        self.launched: list[tuple[launch.Kernel, int]] = []

    def __call__(self, kernel: launch.Kernel, blocks: int, arguments: tuple[Any, ...], device: torch.device) -> None:
        self.launched.append((kernel, blocks))
        values = variant(kernel)
        asked = (ctypes.c_int * len(VARIANT))(*(values.get(name, 0) for name in VARIANT))
        typed = [C_TYPES[type(value)](value.item()) for value in arguments]
        missing = getattr(self.library, kernel.name)(asked, ctypes.c_uint(blocks), *typed)
        assert not missing, f"lif_host.cpp does not list {kernel}"


def variant(kernel: launch.Kernel) -> dict[str, int]:
    """The values of its -D options."""
    return {name: int(value) for name, value in (option[2:].split("=") for option in kernel.options)}
