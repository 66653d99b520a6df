"""Learning a table by running means: start from data, exponential averages, revival of rows that nobody chooses.

    counts <- decay counts + (1 - decay) n_k            n_k vectors z of the batch are nearest to row k
    sums   <- decay sums + (1 - decay) sum of these z
    e_k    =  sums / counts

(van den Oord et al. 2017, appendix A.1; revival as in Dhariwal et al. 2020 and Zeghidour et al. 2021.) Random numbers
come from a generator keyed by the step, all else is in the module's buffers, so that a resumed run is bitwise the same.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurogen.codebook.distances import nearest_rows

KMEANS_ROUNDS = 12
EPSILON = 1e-5


def step_generator(seed: int, step: int) -> torch.Generator:
    """A generator that depends on seed and step alone; it draws on the CPU, so that numbers are equal everywhere."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % (1 << 63))


def kmeans(vectors: Tensor, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Centres (size, D) and how many of vectors (M, D) each holds; empty centres restart at random vectors."""
    pick = torch.randint(len(vectors), (size,), generator=generator)
    if len(vectors) >= size:
        pick = torch.randperm(len(vectors), generator=generator)[:size]
    centres = vectors[pick.to(vectors.device)].clone()
    counts = torch.ones(size, dtype=vectors.dtype, device=vectors.device)
    for _ in range(KMEANS_ROUNDS):
        counts, sums = totals(vectors, nearest_rows(vectors, centres), size)
        spare = vectors[torch.randint(len(vectors), (size,), generator=generator).to(vectors.device)]
        centres = torch.where((counts > 0)[:, None], sums / counts.clamp_min(1)[:, None], spare)
    return centres, counts


def totals(vectors: Tensor, codes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """How many vectors each row holds (size,), and their sum (size, D)."""
    counts = vectors.new_zeros(size).index_add_(0, codes, vectors.new_ones(len(codes)))  # bincount makes a GPU wait
    sums = vectors.new_zeros(size, vectors.shape[1])
    if vectors.is_cuda:  # index_add_ adds in no order there, and a run would not resume to the same bits
        return counts, sums.index_put_((codes,), vectors, accumulate=True)
    return counts, sums.index_add_(0, codes, vectors)


def smooth_mean(counts: Tensor, sums: Tensor) -> Tensor:
    """Rows sums / counts, with Laplace smoothing of the counts."""
    total = counts.sum()
    smoothed = (counts + EPSILON) / (total + len(counts) * EPSILON) * total
    return sums / smoothed[:, None]
