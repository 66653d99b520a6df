"""Run under an interpreter that has snnTorch: `python snntorch_leaky.py GIVEN MADE`, both files .npz.

GIVEN: currents x, weights of spikes and of membranes, all (T, N, D) float64, and by case beta and threshold. MADE, by
case: spikes and membranes of snnTorch's Leaky, and the gradient of sum(weights * (spikes, membranes)) for x.
"""

from __future__ import annotations

import sys

import numpy as np
import snntorch
import torch
from snntorch import surrogate

SURROGATES = {"atan": surrogate.atan(alpha=2.0), "fast_sigmoid": surrogate.fast_sigmoid(slope=25)}


def main() -> None:
    given, made = np.load(sys.argv[1]), {}
    of_spikes, of_membranes = torch.from_numpy(given["of_spikes"]), torch.from_numpy(given["of_membranes"])
    for name, function in SURROGATES.items():
        for case, (beta, threshold) in enumerate(given["constants"].tolist()):
            x = torch.from_numpy(given["x"]).requires_grad_()
            leaky = snntorch.Leaky(beta, threshold, function, reset_mechanism="subtract").double()
            u, spikes, membranes = torch.zeros_like(x[0]), [], []
            for current in x:
                s, u = leaky(current, u)
                spikes.append(s)
                membranes.append(u)
            # Their spikes are float32 and so are the gradients that reach them: `of_spikes` is exact in float32.
            loss = (torch.stack(spikes) * of_spikes.float()).sum() + (torch.stack(membranes) * of_membranes).sum()
            loss.backward()
            found = {"spikes": torch.stack(spikes), "membranes": torch.stack(membranes), "grad": x.grad}
            made |= {f"{name}/{case}/{what}": value.detach().double().numpy() for what, value in found.items()}
    np.savez(sys.argv[2], **made)


if __name__ == "__main__":
    main()
