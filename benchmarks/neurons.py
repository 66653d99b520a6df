"""Our LIF layer beside SpikingJelly's, and our gate beside plain autograd, on the CPU.

    python benchmarks/neurons.py [--shape A B] [--allocator tuned default] [--threads 2] [--rounds 3] [--compiled]

Shapes (T, N, C, H, W): A (4, 16, 128, 32, 32), B (16, 250, 64, 16, 16). One JSON line per figure: `step`, seconds of
forward + backward, and `forward`, without gradient (medians, the variants taking turns); `peak`, MiB above the input
and the incoming gradient, each variant in its own process; `held`, bytes an element between forward and backward.
`speedup`, of wall and of processor time, and `peak_ratio` compare ours with a peer. Variants: ours; multi-step,
SpikingJelly's LIFNode; single-step, the same in a loop; gate, our x * LIF(x); plain gate, the product with
SpikingJelly's by autograd. All have tau 2, ATan, detached hard reset, and the same allocator: `tuned` as our commands
set it, or glibc's `default`. With --compiled, which takes minutes, also `neurons.compile=true` (compiled, compiled
gate) and `over_floor`: its time over that of warm copies of 24 bytes an element (8 without gradient), as many as a
neuron moves that keeps its membrane for the backward.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial

import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor
from turns import Work, take_turns

from neurogen.neurons import LIF, Gate, compile_neurons, tune_allocator

SHAPES = {"A": (4, 16, 128, 32, 32), "B": (16, 250, 64, 16, 16)}
PEERS = {"ours": ("multi-step", "single-step"), "gate": ("plain gate",)}
VARIANTS = ("ours", "multi-step", "single-step", "gate", "plain gate")
COMPILED = ("compiled", "compiled gate", "floor")
Layer = Callable[[Tensor], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=["A", "B"])
    parser.add_argument("--allocator", nargs="+", choices=("tuned", "default"), default=["tuned", "default"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    variants = (*VARIANTS, *COMPILED) if options.compiled else VARIANTS
    for shape in options.shape:
        for allocator in options.allocator:
            for figure in ("step", "forward"):
                settings = {"shape": shape, "allocator": allocator, "threads": options.threads}
                compare(figure, variants, settings, options.rounds)
    for name in VARIANTS:  # last: computing starts threads, which a fork would not survive
        report("held", held_bytes(name), "bytes an element", {"variant": name})


def compare(figure: str, variants: tuple[str, ...], settings: dict[str, object], rounds: int) -> None:
    """Time every variant at one shape under one allocator, and set ours beside its peers."""
    warm = 4 if settings["allocator"] == "tuned" else 1  # the heap settles in its first steps
    found = take_turns({name: partial(build, name, figure, **settings) for name in variants}, rounds, warm)
    for name, turns in found.items():
        report(figure, turns.seconds, "s", {"variant": name, **settings}, cpu=turns.cpu_seconds)
        report("peak", turns.peak_mib, "MiB", {"variant": name, "of": figure, **settings})
    for ours, peers in PEERS.items():
        for peer in peers:
            a, b, both = found[ours], found[peer], {"variant": ours, "peer": peer, "of": figure, **settings}
            report("speedup", b.seconds / a.seconds, "1", both, cpu=b.cpu_seconds / a.cpu_seconds)
            report("peak_ratio", a.peak_mib / b.peak_mib, "1", both)

    for name in [name for name in found if "floor" in found and name != "floor"]:
        a, b, both = found[name], found["floor"], {"variant": name, "of": figure, **settings}
        report("over_floor", a.seconds / b.seconds, "1", both, cpu=a.cpu_seconds / b.cpu_seconds)


def build(name: str, figure: str, shape: str, allocator: str, threads: int) -> Work:
    """In a variant's own process: its layer, input and incoming gradient."""
    torch.set_num_threads(threads)
    if allocator == "tuned":
        tune_allocator()
    torch.manual_seed(0)
    if name == "floor":
        return copies(SHAPES[shape], 3 if figure == "step" else 1)
    layer = make(name)
    layer(torch.randn(2, 3, 4).requires_grad_()).sum().backward()  # loads the code, whose pages are no tensors
    x, up = torch.randn(SHAPES[shape]).mul_(0.8).add_(0.3), torch.randn(SHAPES[shape])

    def step() -> None:
        layer(x.detach().requires_grad_()).backward(up)

    @torch.no_grad()
    def forward() -> None:
        layer(x)

    return step if figure == "step" else forward


def make(name: str) -> Layer:
    """A function (T, N, ...) -> (T, N, ...) that starts at rest in every call."""
    function = surrogate.ATan(alpha=2.0)
    if name in ("ours", "gate", "compiled", "compiled gate"):
        ours = LIF(tau=2.0, surrogate_function=function, detach_reset=True)
        if "compiled" in name:
            compile_neurons(ours)
        return from_rest(ours, Gate(ours) if "gate" in name else ours)
    mode = "s" if name == "single-step" else "m"
    theirs = neuron.LIFNode(2.0, surrogate_function=function, detach_reset=True, step_mode=mode)
    if name == "single-step":
        return from_rest(theirs, lambda x: torch.stack([theirs(step) for step in x]))
    return from_rest(theirs, theirs if name == "multi-step" else lambda x: x * theirs(x))


def copies(shape: tuple[int, ...], count: int) -> Work:
    """Copies into warm memory, of 8 bytes an element each."""
    pairs = [(torch.randn(shape), torch.empty(shape)) for _ in range(count)]

    def work() -> None:
        for source, target in pairs:
            target.copy_(source)

    return work


def from_rest(node: neuron.LIFNode, layer: Layer) -> Layer:
    def run(x: Tensor) -> Tensor:
        node.reset()
        return layer(x)

    return run


def held_bytes(name: str) -> float:
    """What autograd keeps for the backward, bytes an element of the input (float32)."""
    x = torch.randn(8, 64, 64, 32).requires_grad_()
    kept: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        y = make(name)(x)
    return sum(kept.values()) / y.numel()


def report(figure: str, value: float, unit: str, settings: dict[str, object], cpu: float | None = None) -> None:
    line: dict[str, object] = {"benchmark": "neurons", "figure": figure, **settings, "value": float(f"{value:.4g}")}
    print(json.dumps(line | {"unit": unit} | ({} if cpu is None else {"cpu": float(f"{cpu:.4g}")})), flush=True)


if __name__ == "__main__":
    main()
