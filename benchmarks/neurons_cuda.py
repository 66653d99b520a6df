"""Our neurons on an NVIDIA GPU beside SpikingJelly's and a device copy, and what they make of training and sampling.

    python benchmarks/neurons_cuda.py [--sections neurons step sampling] [--seconds 0.1]
    python benchmarks/neurons_cuda.py --device cpu --tiny      # exercises the script where there is no GPU

neurons    LIF, PLIF and the gate x * LIF(x) on (T, N, C, H, W), forward + backward and forward alone, in float32 and
           bf16. Variants: ours (backend=auto); triton, SpikingJelly's fused operator; stock, SpikingJelly's node as it
           is; loop, its single-step node T times. `rate` is GB/s of the least that must move: x and the output, and in
           training x again, its incoming and outgoing gradient; 8 and 20 bytes an element in float32, 4 and 10 in bf16.
           (Who keeps h moves 24.) `over_copy` is the time over that of a device copy of as many bytes.
step       One training step of tts_vqvae/nmnist at full size, random weights: forward, L1 and quantiser loss, backward,
           Adam. Ours in float32, bf16, fp16 and channels_last, ours on SpikingJelly's operator (triton), and the same
           network stepped in time layer by layer (`stage1_step.py`), as published code does. cuDNN is held to
           algorithms that give the same bits every time, as in training, but where it may take any or try them out.
sampling   Codes of prior/nmnist at full size, random weights, and their decoding: seconds a sample, captured and plain.

One JSON line per figure: medians of CUDA-event times after a warm-up, over inputs that take turns so that caches do not
help; `graph` true is one CUDA graph of all of them, without launches from Python. `first` is the first call, with all
that is compiled in it. A variant that fails prints why and the rest goes on.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from cuda_timing import Clock
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn

from neurogen.config import PriorConfig, StageOneConfig, load_config
from neurogen.models import captured
from neurogen.models.prior import SpikingPrior
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.neurons import LIF, PLIF, Gate
from neurogen.neurons.backend import choose_backend
from neurogen.training.precision import mixed
from train import find_config

SECTIONS = ("neurons", "step", "sampling")
SHAPES = {"A": (4, 16, 128, 32, 32), "B": (16, 250, 64, 16, 16), "C": (4, 64, 128, 64, 64)}  # 8.4, 65.5, 134 M
TINY = {"A": (4, 2, 4, 8, 8)}
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}
CACHE = 200 << 20  # bytes that inputs taking turns come to at least: several times an L2
SMALL = ("data.resolution=32", "model.gated.width=32", "model.gated.latent=32", "codebook.width=8")
SMALL_PRIOR = ("model.layers=2", "model.dim=64", "model.heads=2")
MAIN_STEPS = ("ours", "ours, bf16", "ours, bf16, channels last", "triton", "stepped", "stepped, bf16")
STEPS = (
    *MAIN_STEPS,
    "ours, fp16",
    "ours, channels last",
    "ours, any algorithm",
    "ours, tried out",
    "ours, bf16, tried out",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seconds", type=float, default=0.1, help="of measuring, each figure")
    options = parser.parse_args()
    torch.manual_seed(0)
    clock = Clock(torch.device(options.device), 0.01 if options.tiny else options.seconds)
    if options.device == "cpu":
        torch.set_num_threads(1)
    report("device", 0.0, "", name=clock.name, torch=torch.__version__)
    for name in options.sections:
        began = time.perf_counter()
        with survived(section=name):
            globals()[f"{name}_section"](clock, options.tiny)
        report("section", time.perf_counter() - began, "s", section=name)


def neurons_section(clock: Clock, tiny: bool) -> None:
    with survived(variant="triton"):
        device = clock.device
        found = {kind: functional.neuron_implementation(kind, device)["implementation"] for kind in ("lif", "plif")}
        report("spikingjelly", 0.0, "", **found)
    for shape, sizes in (TINY if tiny else SHAPES).items():
        speed = copy_speed(clock, sizes)
        report("copy", speed / 1e9, "GB/s", shape=shape)
        for kind in ("lif", "plif", "gate"):
            for dtype in DTYPES:
                for variant in ("ours", "triton", "stock", "loop"):
                    if shape != "C" and variant in ("stock", "loop") and not tiny:
                        continue  # one size says it
                    for work in ("step", "forward"):
                        settings = {"kind": kind, "shape": shape, "dtype": dtype, "variant": variant, "of": work}
                        with survived(**settings):
                            one_neuron(clock, sizes, speed, settings)
        with clock.freed():
            pass


def copy_speed(clock: Clock, sizes: tuple[int, ...]) -> float:
    """Bytes read and written a second by device copies of float32 tensors of that size."""
    source = [torch.randn(sizes, device=clock.device) for _ in range(sets_of(sizes, torch.float32))]
    target = [torch.empty_like(x) for x in source]
    works = [partial(b.copy_, a) for a, b in zip(source, target, strict=True)]
    return 2 * source[0].nbytes / clock.replayed(works)


def sets_of(sizes: tuple[int, ...], dtype: torch.dtype) -> int:
    return max(2, min(8, CACHE // (torch.Size(sizes).numel() * dtype.itemsize)))


def one_neuron(clock: Clock, sizes: tuple[int, ...], speed: float, settings: dict[str, str]) -> None:
    """One variant of one neuron at one size: first call, eager and replayed time, rate, ratio to the copy."""
    dtype, training = DTYPES[settings["dtype"]], settings["of"] == "step"
    layer = make(settings["kind"], settings["variant"]).to(clock.device)
    count = sets_of(sizes, dtype)
    inputs = [torch.randn(sizes, device=clock.device).mul_(0.8).add_(0.3).to(dtype) for _ in range(count)]
    above = [torch.randn(sizes, device=clock.device).to(dtype) for _ in range(count)] if training else inputs
    learned = list(layer.parameters())
    if settings["variant"] == "ours" and training:
        node = layer.neuron if isinstance(layer, Gate) else layer
        chosen = choose_backend("auto", node, inputs[0])
        report("backend", 0.0, "", **settings, name="spikingjelly" if chosen is None else chosen.__name__)

    def step(x: Tensor, up: Tensor) -> None:
        functional.reset_net(layer)
        if training:
            x = x.detach().requires_grad_()
            torch.autograd.grad(layer(x), [x, *learned], up)
        else:
            with torch.no_grad():
                layer(x)

    works = [partial(step, x, up) for x, up in zip(inputs, above, strict=True)]
    report("first", clock.once(works[0]), "s", **settings)
    moved = inputs[0].nbytes * (5 if training else 2)
    for graph in (False, True) if clock.device.type == "cuda" else (False,):
        with survived(**settings, graph=graph):
            seconds = clock.replayed(works) if graph else clock.eager(works)
            report("time", 1e3 * seconds, "ms", **settings, graph=graph)
            report("rate", moved / seconds / 1e9, "GB/s", **settings, graph=graph)
            report("over_copy", seconds * speed / moved, "1", **settings, graph=graph)
    report("peak", clock.peak(works[0]) / inputs[0].nbytes, "inputs", **settings)


class Looped(nn.Module):
    """A single-step node, T times."""

    def __init__(self, node: neuron.BaseNode) -> None:
        super().__init__()
        self.node = node

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.node(step) for step in x])


class Product(nn.Module):
    """x * neuron(x) by autograd."""

    def __init__(self, node: nn.Module) -> None:
        super().__init__()
        self.node = node

    def forward(self, x: Tensor) -> Tensor:
        return x * self.node(x)


def make(kind: str, variant: str) -> nn.Module:
    """Tau 2, ATan, hard reset to 0, detached."""
    function = surrogate.ATan(alpha=2.0)
    constants: dict[str, Any] = {"surrogate_function": function, "detach_reset": True}
    if variant in ("ours", "triton"):
        backend = "auto" if variant == "ours" else "spikingjelly"
        node = (PLIF if kind == "plif" else LIF)(2.0, backend=backend, **constants)
        if kind == "gate":
            return Gate(node) if variant == "ours" else Product(node)
        return node
    mode = "s" if variant == "loop" else "m"
    stock = (neuron.ParametricLIFNode if kind == "plif" else neuron.LIFNode)(2.0, step_mode=mode, **constants)
    layer = Looped(stock) if variant == "loop" else stock
    return Product(layer) if kind == "gate" else layer


def step_section(clock: Clock, tiny: bool) -> None:
    config = load_config(find_config("tts_vqvae/nmnist"), SMALL if tiny else ())
    assert isinstance(config, StageOneConfig)
    for batch, variants in ((2, STEPS),) if tiny else ((16, STEPS), (64, MAIN_STEPS)):
        found: dict[str, float] = {}
        for name in variants:
            with clock.freed(), survived(section="step", variant=name, batch=batch):
                found[name] = one_network(clock, name, config, batch)
        for name in found:
            for peer in ("stepped", "stepped, bf16", "triton"):
                if name.startswith("ours") and peer in found:
                    report("speedup", found[peer] / found[name], "1", variant=name, peer=peer, batch=batch)


def one_network(clock: Clock, name: str, config: StageOneConfig, batch: int) -> float:
    """Seconds of a step of one variant."""
    from stage1_step import Stepped

    if name == "triton":
        neurons = config.neurons.model_copy(update={"backend": "spikingjelly"})
        config = config.model_copy(update={"neurons": neurons})
    with clock.device:
        network: nn.Module = TTSVQVAE(config)
    if "channels last" in name:
        network.layout = torch.channels_last  # type: ignore[assignment]
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if "stepped" in name:
        network = Stepped(network, channels_last=False)  # type: ignore[arg-type]
    torch.backends.cudnn.deterministic = "any algorithm" not in name and "tried out" not in name
    torch.backends.cudnn.benchmark = "tried out" in name
    precision = next((one for one in ("bf16", "fp16") if one in name), "float32")
    work = training_step(network, config, batch, precision, clock.device)
    settings = {"section": "step", "variant": name, "batch": batch}
    report("first", clock.once(work), "s", **settings)
    seconds = clock.eager([work])
    report("time", seconds, "s", **settings)
    report("peak", clock.peak(work) / (1 << 20), "MiB", **settings)
    return seconds


def training_step(
    network: nn.Module, config: StageOneConfig, batch: int, precision: str, device: torch.device
) -> Callable[[], None]:
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.5, 0.9))
    size = config.data.resolution
    x = torch.rand(batch, config.model.steps, 2, size, size, device=device)

    def step() -> None:
        with mixed(precision, device):
            out = network(x)
        values, loss = out if isinstance(out, tuple) else (out.values, out.quantiser_loss)
        optimiser.zero_grad(set_to_none=True)
        ((values.float() - x).abs().mean() + loss).backward()
        optimiser.step()

    return step


def sampling_section(clock: Clock, tiny: bool) -> None:
    config = load_config(find_config("prior/nmnist"), SMALL_PRIOR if tiny else ())
    first = load_config(find_config("tts_vqvae/nmnist"), SMALL if tiny else ())
    assert isinstance(config, PriorConfig) and isinstance(first, StageOneConfig)
    with clock.device:
        prior = SpikingPrior(config.model, config.neurons).eval()
        stage = TTSVQVAE(first).eval()
    found: dict[tuple[str, int], float] = {}
    for rows in (2,) if tiny else (32, 1):
        uniforms = torch.rand(rows, prior.order.uniforms, dtype=torch.float64)
        for way in ("plain", "captured"):
            with survived(section="sampling", way=way, batch=rows), only(way == "captured"):
                work = partial(prior.sample, uniforms)
                report("first", clock.once(work), "s", section="sampling", way=way, batch=rows)
                found[way, rows] = clock.eager([work]) / rows
                report("sample", found[way, rows], "s", way=way, batch=rows)
        if {("plain", rows), ("captured", rows)} <= found.keys():
            report("speedup", found["plain", rows] / found["captured", rows], "1", section="sampling", batch=rows)
        weights = sum(p.nbytes for p in prior.blocks.parameters()) * prior.length / rows
        report("weights_read", weights / found.get(("captured", rows), float("inf")) / 1e9, "GB/s", batch=rows)
    codes = torch.randint(config.model.codes, (2 if tiny else 32, *stage.code_shape), device=clock.device)
    with survived(section="decoding"), torch.no_grad():
        work = partial(stage.decode, codes)
        report("decode", clock.eager([work]) / len(codes), "s", way="plain", batch=len(codes))
        if clock.device.type == "cuda":
            report("decode", clock.replayed([work]) / len(codes), "s", way="captured", batch=len(codes))


@contextmanager
def only(capture: bool) -> Iterator[None]:
    """Sampling by a graph, or by the plain loop."""
    usual = captured._can_capture
    if not capture:
        captured._can_capture = lambda tokens: False
    try:
        yield
    finally:
        captured._can_capture = usual


@contextmanager
def survived(**settings: object) -> Iterator[None]:
    """What fails in the block is printed as a line of its own, and the script goes on."""
    try:
        yield
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]} ({where.name}, line {where.lineno})"
        print(json.dumps({"benchmark": "neurons_cuda", "figure": "failed", **settings, "error": said}), flush=True)


def report(figure: str, value: float, unit: str, **settings: object) -> None:
    line = {"benchmark": "neurons_cuda", "figure": figure, **settings, "value": float(f"{value:.4g}"), "unit": unit}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
