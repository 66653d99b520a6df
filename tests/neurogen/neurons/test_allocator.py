"""Allocator tuning: asked for, never by an import, and it can be turned off. Each in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from tests.data import ROOT

# A large block's address: from the heap where mallopt forbids mmap, otherwise from a mapping of its own.
PROBE = """
import ctypes, re
def heap_holds_a_large_block():
    libc = ctypes.CDLL("libc.so.6")
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    address = libc.malloc(1 << 28)
    heaps = [line.split()[0] for line in open("/proc/self/maps") if line.rstrip().endswith("[heap]")]
    return any(int(a, 16) <= address < int(b, 16) for a, b in (heap.split("-") for heap in heaps))
"""
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")


def answer(code: str, **environment: str) -> str:
    command = [sys.executable, "-c", PROBE + code]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env, cwd=ROOT).stdout.strip()


def test_no_import_tunes_the_allocator() -> None:
    code = (
        "import neurogen, neurogen.neurons, neurogen.models.tts_vqvae, neurogen.training.engine, neurogen.cli, train\n"
    )
    assert answer(code + "print(heap_holds_a_large_block())", NEUROGEN_TUNE_ALLOCATOR="1") == "False"


def test_asking_tunes_it() -> None:
    code = "from neurogen.neurons.allocator import tune_allocator\nprint(tune_allocator(), heap_holds_a_large_block())"
    assert answer(code, NEUROGEN_TUNE_ALLOCATOR="1") == "True True"


def test_the_environment_turns_it_off() -> None:
    code = "from neurogen.neurons.allocator import tune_allocator\nprint(tune_allocator(), heap_holds_a_large_block())"
    assert answer(code, NEUROGEN_TUNE_ALLOCATOR="0") == "False False"
