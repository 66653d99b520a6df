"""Our CUDA kernels on the CPU, where g++ is there."""

from __future__ import annotations

import ctypes
import shutil

import pytest

from neurogen.neurons import cupy, launch
from tests.neurogen.neurons.on_host import OnHost, compile_kernels


@pytest.fixture(scope="session")
def host_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if shutil.which("g++") is None:
        pytest.skip("needs g++")
    return compile_kernels(tmp_path_factory.mktemp("lif"))


@pytest.fixture
def on_host(host_library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> OnHost:
    """Backend cupy runs CPU tensors, by the kernels' source compiled for the CPU."""
    host = OnHost(host_library)
    monkeypatch.setattr(launch, "run", host)
    monkeypatch.setattr(cupy, "missing", lambda: None)
    monkeypatch.setattr(cupy, "DEVICES", ("cpu",))
    return host
