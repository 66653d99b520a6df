"""Run under an interpreter that has snnTorch: spikes of its networks against those of what was read, as JSON.

Each entry: [spikes that differ, all spikes, share that fires]. snnTorch makes float32 spikes, so its networks are
float32, and the weights lie on a grid where float32 sums are exact: no spike may differ.
"""

from __future__ import annotations

import json

import numpy as np
import snntorch
import torch
from torch import Tensor, nn

import export


def linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=False)
    layer.weight.data = torch.randint(-2, 5, layer.weight.shape).float() / 4
    return layer


class Looping(nn.Module):
    def __init__(self, delay: bool) -> None:
        super().__init__()
        self.a, self.b = linear(9, 20), linear(20, 6)
        self.m = snntorch.Leaky(beta=0.5, reset_mechanism="zero", reset_delay=delay)
        self.n = snntorch.Leaky(beta=0.75, threshold=2.0, reset_mechanism="zero", reset_delay=delay)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u, v, out, membranes = self.m.reset_mem(), self.n.reset_mem(), [], []
        for step in x:
            s, u = self.m(self.a(step), u)
            s, v = self.n(self.b(s), v)
            out.append(s)
            membranes.append(v)
        return torch.stack(out), torch.stack(membranes)


def stepwise() -> nn.Sequential:
    nodes = [
        snntorch.Leaky(beta=b, reset_mechanism="zero", init_hidden=True) for b in (0.5, torch.tensor([0.5, 0.25] * 3))
    ]
    return nn.Sequential(linear(9, 20), nodes[0], linear(20, 6), nodes[1])


def compared(ours: np.ndarray, theirs: Tensor) -> list[float]:
    return [int((ours != theirs.numpy()).sum()), ours.size, float(ours.mean())]


def main() -> None:
    torch.manual_seed(0)
    x = (torch.rand(25, 4, 9) < 0.3).float()
    results = {}
    with torch.no_grad():
        for delay in (True, False):
            looping = Looping(delay)
            network = export.read(looping, x)
            results[f"loop, reset_delay={delay}"] = compared(export.run(network, x)["n"], looping(x)[0])
        module = stepwise()
        network = export.read(module, x)
        for part in (module[1], module[3]):
            part.reset_mem()
        results["one step at a time"] = compared(export.run(network, x)["3"], torch.stack([module(s) for s in x]))
        try:
            export.read(nn.Sequential(linear(9, 4), snntorch.Leaky(beta=0.5, init_hidden=True)), x)
        except export.Refusal as refusal:
            print(json.dumps({"spikes": results, "refused": str(refusal)}))


if __name__ == "__main__":
    main()
