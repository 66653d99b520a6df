"""Our late subtractive reset against snnTorch's own `Leaky`, in an interpreter that has snnTorch."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from neurogen.neurons.delayed_reset import DelayedReset
from neurogen.neurons.surrogate import SURROGATES

PYTHON = os.environ.get("NEUROGEN_NIR_PYTHON", "")
SCRIPT = Path(__file__).with_name("snntorch_leaky.py")
CONSTANTS = [(0.5, 1.0), (0.875, 0.75), (0.25, 0.5)]  # exact in float32, as which snnTorch keeps them
ALPHAS = {"atan": 2.0, "fast_sigmoid": 25.0}


@pytest.mark.interop
@pytest.mark.skipif(not PYTHON, reason="NEUROGEN_NIR_PYTHON names no interpreter that has snnTorch")
def test_spikes_membranes_and_gradients_are_snntorchs_in_float64(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = np.round(generator.normal(0.4, 1.0, (20, 6, 50)) * 8) / 8  # of eighths: many membranes meet their threshold
    of_spikes = generator.integers(-8, 9, x.shape) / 8
    of_membranes = generator.normal(size=x.shape)
    given, made = tmp_path / "given.npz", tmp_path / "made.npz"
    np.savez(given, x=x, of_spikes=of_spikes, of_membranes=of_membranes, constants=np.array(CONSTANTS))
    command = [PYTHON, "-W", "ignore", "-P", str(SCRIPT), str(given), str(made)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = np.load(made)
    for name, alpha in ALPHAS.items():
        for case, (beta, threshold) in enumerate(CONSTANTS):
            spikes, membranes, grad = (found[f"{name}/{case}/{what}"] for what in ("spikes", "membranes", "grad"))
            wanted = torch.from_numpy(x).requires_grad_()
            whole = DelayedReset(beta, threshold, SURROGATES[name](alpha))
            steps = DelayedReset(beta, threshold, SURROGATES[name](alpha))
            ours = whole(wanted)  # the fused path; a second neuron, called step by step, has the membranes
            each = []
            for current in wanted.split(1):
                steps(current)
                each.append(steps.v)
            u = torch.stack(each)
            ((ours * torch.from_numpy(of_spikes)).sum() + (u * torch.from_numpy(of_membranes)).sum()).backward()
            assert 0.1 < spikes.mean() < 0.9
            assert np.array_equal(ours.detach().numpy(), spikes), (name, beta)
            assert np.abs(u.detach().numpy() - membranes).max() < 1e-14, (name, beta)
            assert wanted.grad is not None
            assert np.abs(wanted.grad.numpy() - grad).max() < 1e-12, (name, beta)
        assert np.any(membranes == threshold)  # where strictness shows
