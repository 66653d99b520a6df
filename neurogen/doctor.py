"""What this machine has, which backend each neuron will use on it, and why not the others."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import torch
from spikingjelly.activation_based import functional

from neurogen.neurons import IF, LIF, PLIF, cupy
from neurogen.neurons.allocator import why_not_tuned
from neurogen.neurons.backend import BACKENDS, choose_backend, why_not

KINDS: dict[str, type[LIF | IF | PLIF]] = {"lif": LIF, "if": IF, "plif": PLIF}
EXTRAS = {
    "metrics": "torch-fidelity",
    "tonic": "tonic",
    "nir": "nirtorch",
    "logging": "tensorboard",
    "celeba": "gdown",
    "lsun": "lmdb",
    "braincog": "braincog",
}


@dataclass(frozen=True)
class NeuronUse:
    """What runs one kind of neuron on one device under backend=auto."""

    device: str
    kind: str
    backend: str
    operator: str | None
    """SpikingJelly's implementation (torch-reference, torch, triton or cuda), where its operator runs."""
    others: dict[str, str]
    """Why each other backend is not taken."""


@dataclass(frozen=True)
class Report:
    """What `neurogen doctor` found."""

    versions: dict[str, str | None]
    """Package -> version, None where it is absent."""
    system: str
    cores: int
    threads: int
    """Threads that torch computes with."""
    memory_gib: float | None
    devices: dict[str, str]
    """Torch device -> what it is."""
    allocator: str
    """Whether large tensors stay in the process (the commands tune the allocator)."""
    extras: dict[str, str | None]
    """Optional package -> version, or None where it is absent."""
    cupy: str
    """Whether the CUDA kernels can run, or what they lack."""
    neurons: tuple[NeuronUse, ...]

    def to_json(self) -> str:
        """One JSON object with the fields above."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """The same for a person."""
        memory = "unknown memory" if self.memory_gib is None else f"{self.memory_gib:.1f} GiB memory"
        lines = [", ".join(f"{name} {number or 'absent'}" for name, number in self.versions.items())]
        lines.append(f"{self.system}, {self.cores} cores ({self.threads} threads used), {memory}")
        lines += [f"device {name}: {what}" for name, what in self.devices.items()]
        lines.append(f"allocator: {self.allocator}")
        lines += [f"extra {extra}: {_extra(extra, number)}" for extra, number in self.extras.items()]
        lines.append(f"backend cupy, neurogen's own (SpikingJelly dropped its in 2.0.0): {self.cupy}")
        for use in self.neurons:
            operator = f" ({use.operator})" if use.operator else ""
            others = "".join(f"; not {name}: {reason}" for name, reason in use.others.items())
            lines.append(f"neuron {use.kind} on {use.device}: {use.backend}{operator}{others}")
        return "\n".join(lines)


def examine() -> Report:
    """Look at this machine; needs no data and starts no long work."""
    devices = _devices()
    return Report(
        versions={name: _version(name) for name in ("neurogen", "torch", "spikingjelly", "numpy")}
        | {"python": platform.python_version()},
        system=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        memory_gib=_memory_gib(),
        devices=devices,
        allocator=why_not_tuned() or "tuned by the commands (NEUROGEN_TUNE_ALLOCATOR=0 turns it off)",
        extras={extra: _version(package) for extra, package in _extras().items()},
        cupy=cupy.missing() or "ready",
        neurons=tuple(_use(kind, device) for device in devices for kind in (*KINDS, "gate")),
    )


def _use(kind: str, device: str) -> NeuronUse:
    node = KINDS.get(kind, LIF)().to(device)  # a gate runs where its neuron does
    x = torch.zeros((1, 1), device=device)
    chosen = choose_backend("auto", node, x)
    name = next((n for n, backend in BACKENDS.items() if backend is chosen), "spikingjelly")
    reasons = {n: why_not(n, node, x) or f"{name} is faster" for n in BACKENDS if n != name}
    if chosen is not None:
        return NeuronUse(device, kind, name, None, reasons | {"spikingjelly": f"{name} is faster"})
    family = "lif" if kind == "gate" else kind
    operator = functional.neuron_implementation(family, torch.device(device), execution="eager")["implementation"]
    return NeuronUse(device, kind, name, operator, reasons)


def _devices() -> dict[str, str]:
    found = {"cpu": platform.processor() or platform.machine()}
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            found[f"cuda:{index}"] = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU"
    return found


def _memory_gib() -> float | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (AttributeError, ValueError, OSError):
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _extras() -> dict[str, str]:
    cuda = (torch.version.cuda or "").split(".")[0]
    return EXTRAS | ({f"cuda{cuda}": f"cupy-cuda{cuda}x"} if cuda else {})


def _extra(extra: str, number: str | None) -> str:
    return f"{_extras()[extra]} {number}" if number else f'absent; pip install "neurogen[{extra}]"'
