"""One training step of the gated first stage: ours, beside the same network stepped in time layer by layer.

    python benchmarks/stage1_step.py [--size small published] [--batch 8] [--allocator tuned default] [--threads 2]

`published` is tts_vqvae/nmnist (64x64, batch 1 by default); `small` is its quarter width on 32x32. A step is forward,
L1 and quantiser loss, backward, Adam. Ours folds T into the batch and fuses the gates. The peers hold the same weights
and run every layer one time step after the other, with SpikingJelly's single-step LIFNode and x * s by autograd:
`stepped` in PyTorch's default layout, which is ours too, `stepped, channels last` in the other. One JSON line per
figure: `step`, seconds (median, the variants taking turns); `peak`, MiB above the model, each variant in its own
process; `speedup` of ours over a peer, of wall and of processor time; `difference`, the largest between outputs and
gradients of ours and of the stepped network in float64, which must stay below 1e-9.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable
from functools import partial

import torch
from spikingjelly.activation_based import functional, neuron
from torch import Tensor, nn
from torch.nn import functional as F
from turns import Work, take_turns

from neurogen.blocks import Downsample, Folded, GatedResidual, SpikingAttention
from neurogen.config import StageOneConfig, load_config
from neurogen.full_precision import wide
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.neurons import LIF, Gate, tune_allocator
from train import find_config

CONFIG = "tts_vqvae/nmnist"
SMALL = ("data.resolution=32", "model.gated.width=32", "model.gated.latent=64", "codebook.width=64")
SIZES: dict[str, tuple[tuple[str, ...], int]] = {"small": (SMALL, 8), "published": ((), 1)}
VARIANTS = ("ours", "stepped", "stepped, channels last")
TOLERANCE = 1e-9
Steps = list[Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=SIZES, default=["small"])
    parser.add_argument("--batch", type=int)
    parser.add_argument("--allocator", nargs="+", choices=("tuned", "default"), default=["tuned", "default"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for size in options.size:
        batch = options.batch or SIZES[size][1]
        for allocator in options.allocator:
            settings = {"size": size, "batch": batch, "allocator": allocator, "threads": options.threads}
            found = take_turns({name: partial(build, name, **settings) for name in VARIANTS}, options.rounds, warm=2)
            for name, turns in found.items():
                report("step", turns.seconds, "s", {"variant": name, **settings}, cpu=turns.cpu_seconds)
                report("peak", turns.peak_mib, "MiB", {"variant": name, **settings})
            for peer in VARIANTS[1:]:
                a, b = found["ours"], found[peer]
                report(
                    "speedup", b.seconds / a.seconds, "1", {"peer": peer, **settings}, cpu=b.cpu_seconds / a.cpu_seconds
                )
    worst = difference()  # last: computing starts threads, which a fork would not survive
    report("difference", worst, "1", {"size": "small", "batch": 2, "of": "float64 outputs and gradients"})
    if not worst < TOLERANCE:
        raise SystemExit(f"expected the stepped network to equal ours to {TOLERANCE}, they differ by {worst}")


def build(name: str, size: str, batch: int, allocator: str, threads: int) -> Work:
    """In a variant's own process: its network, optimiser and recordings."""
    torch.set_num_threads(threads)
    if allocator == "tuned":
        tune_allocator()
    torch.manual_seed(0)
    config = configuration(size)
    ours = TTSVQVAE(config)
    network = ours if name == "ours" else Stepped(ours, "channels last" in name)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.5, 0.9))
    x = torch.rand(batch, config.model.steps, 2, config.data.resolution, config.data.resolution)

    def step() -> None:
        values, loss = outputs(network, x)
        optimiser.zero_grad(set_to_none=True)
        ((values - x).abs().mean() + loss).backward()
        optimiser.step()

    return step


def configuration(size: str) -> StageOneConfig:
    config = load_config(find_config(CONFIG), SIZES[size][0])
    assert isinstance(config, StageOneConfig)
    return config


def outputs(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Reconstruction (N, T, 2, H, W) and quantiser loss."""
    out = network(x)
    return out if isinstance(out, tuple) else (out.values, out.quantiser_loss)


class Stepped(nn.Module):
    """The gated network with its own layers, run step by step over lists of T tensors (N, C, H, W)."""

    def __init__(self, model: TTSVQVAE, channels_last: bool) -> None:
        super().__init__()
        self.model, self.channels_last = model, channels_last
        for layer in list(model.modules()):
            for name, child in layer.named_children():
                if isinstance(child, LIF):
                    setattr(layer, name, single_step(child))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, T, 2, H, W)."""
        functional.reset_net(self)
        model = self.model
        xs = [self._laid_out(step) for step in x.unbind(1)]
        for layer in model.encoder:  # type: ignore[union-attr]
            xs = through(layer, xs)
        quantised = model.codebook(wide(torch.stack(each(model.quant_conv, xs))))
        xs = each(model.post_quant_conv, [self._laid_out(step) for step in quantised.values.unbind()])
        for layer in model.decoder[0]:  # type: ignore[union-attr]
            xs = through(layer, xs)
        return torch.stack(each(model.decoder[1].conv, xs), 1), quantised.loss

    def _laid_out(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last if self.channels_last else torch.contiguous_format)


def single_step(node: LIF) -> neuron.LIFNode:
    """SpikingJelly's node with the same constants."""
    constants = (node.tau, node.decay_input, node.v_threshold, node.v_reset, node.surrogate_function, node.detach_reset)
    return neuron.LIFNode(*constants, step_mode="s")


def each(layer: Callable[[Tensor], Tensor], xs: Steps) -> Steps:
    return [layer(x) for x in xs]


def through(layer: nn.Module, xs: Steps) -> Steps:
    """One layer of the gated encoder or decoder."""
    if isinstance(layer, Folded):
        return each(layer.layer, xs)
    if isinstance(layer, Gate):
        return [x * s for x, s in zip(xs, each(layer.neuron, xs), strict=True)]
    if isinstance(layer, Downsample):
        return each(lambda x: layer.conv(F.pad(x, (0, 1, 0, 1))), xs)
    if isinstance(layer, GatedResidual):
        hs = each(layer.conv1, through(layer.gate1, each(layer.norm1, xs)))
        hs = each(layer.conv2, each(layer.dropout, through(layer.gate2, each(layer.norm2, hs))))
        return [layer.shortcut(x) + h for x, h in zip(xs, hs, strict=True)]
    assert isinstance(layer, SpikingAttention)
    normed = each(layer.norm, xs)
    qs, ks = (each(n, each(c, normed)) for n, c in ((layer.query_neuron, layer.query), (layer.key_neuron, layer.key)))
    return [attend(layer, *parts) for parts in zip(xs, qs, ks, each(layer.value, normed), strict=True)]


def attend(layer: SpikingAttention, x: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """x + proj(v (q k)^T / sqrt(C)) of one step."""
    q, k, v_ = (t.flatten(2) for t in (q, k, v))  # (N, C, HW)
    mixed = v_ @ (k.mT @ q) * x.shape[1] ** -0.5
    return x + layer.proj(mixed.view_as(v))


def difference() -> float:
    """Largest difference of outputs and gradients between ours and the stepped network, float64, neurons firing."""
    torch.manual_seed(0)
    ours = TTSVQVAE(configuration("small")).double()
    theirs = Stepped(copy.deepcopy(ours), channels_last=False)
    x = torch.rand(2, 4, 2, 32, 32, dtype=torch.float64)
    worst = 0.0
    results = [outputs(network, x) for network in (ours, theirs)]
    for values, loss in results:
        ((values - x).abs().mean() + loss).backward()
    grads = [[p.grad for p in network.parameters()] for network in (ours, theirs.model)]
    for a, b in [*zip(*results, strict=True), *zip(*grads, strict=True)]:
        if a is not None or b is not None:
            assert a is not None and b is not None
            worst = max(worst, float((a - b).detach().abs().max()))
    return worst


def report(figure: str, value: float, unit: str, settings: dict[str, object], **more: float) -> None:
    line = {"benchmark": "stage1_step", "figure": figure, **settings, "value": float(f"{value:.4g}"), "unit": unit}
    print(json.dumps(line | {key: float(f"{number:.4g}") for key, number in more.items()}), flush=True)


if __name__ == "__main__":
    main()
