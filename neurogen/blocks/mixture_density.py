"""A density of vectors, fitted after training: a mixture of Gaussians with full covariances, of each class where known.

    x ~ sum_m w_m N(mu_m, L_m L_m^T)      x = mu_m + L_m z,  z = Phi^-1(u_1..D),  m: where u_(D+1) falls among the w

("Ex-post density estimation": Ghosh et al. 2020, arXiv 1903.12436.) Fitted by scikit-learn's expectation maximisation;
drawn by uniform numbers, in float64 inside. Shapes: N vectors, D their size, M components, G classes, or 1 without.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor, nn

ITEMS = 20_000  # of a class, drawn by the seed, that a fit looks at
ROUNDS = 50  # of expectation maximisation, at most
RIDGE = 1e-4  # added to variances, as a share of their mean: channels that never change have none
EDGE = 2.0**-53  # uniforms closer to 0 or 1 count as this far: about 8 standard deviations


class MixtureDensity(nn.Module):
    """`components` Gaussians in `dim` dimensions, so many for each of `classes` (0: labels change nothing)."""

    weights: Tensor
    shares: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, dim: int, components: int, classes: int = 0) -> None:
        super().__init__()
        self.dim, self.components, self.classes = dim, components, classes
        groups = max(classes, 1)
        self.register_buffer("weights", torch.zeros(groups, components))  # of each class, they add up to 1
        self.register_buffer("shares", torch.zeros(groups))  # of classes among the items
        self.register_buffer("means", torch.zeros(groups, components, dim))
        self.register_buffer("factors", torch.zeros(groups, components, dim, dim))  # lower triangular

    @property
    def draws(self) -> int:
        """Uniform numbers that a vector takes."""
        return self.dim + 1

    @property
    def fitted(self) -> bool:
        """Whether `fit` was called, or a fitted state loaded."""
        return bool(self.weights.any())

    @torch.no_grad()
    def fit(self, values: Tensor, labels: Tensor | None, seed: int) -> None:
        """Learn the density of values (N, D) of classes labels (N,), which may be None without classes.

        A class of fewer than two items takes the density of all. Raises ValueError for values of another shape, fewer
        than two or not finite.
        """
        if values.dim() != 2 or values.shape[1] != self.dim or len(values) < 2 or not values.isfinite().all():
            raise ValueError(
                f"expected two or more finite vectors (N, {self.dim}) to fit a density to, got {tuple(values.shape)} "
                f"of which {int(values.isfinite().sum())} numbers are finite; look at the training run's losses"
            )
        every = values.detach().cpu().double().numpy()
        known = labels.cpu().numpy() if self.classes and labels is not None else np.zeros(len(every), np.int64)
        order = np.random.default_rng(seed).permutation(len(every))
        every, known = every[order], known[order]
        for group in range(len(self.shares)):
            own = every[known == group]
            self.shares[group] = len(own) / len(every)
            self._fit(group, (own if len(own) > 1 else every)[:ITEMS], seed)

    def draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Tensor:
        """Vectors (N, D), in the precision of `means`; uniforms: (N, D + 1) in [0, 1).

        labels: (N,) of the classes to draw; without, classes are as frequent as among the items. Raises ValueError
        before `fit`.
        """
        if not self.fitted:
            raise ValueError("expected a fitted density, got one without; finish the training run, which fits it")
        if self.classes and labels is not None:
            weights, first = self.weights.double()[labels], labels * self.components
        else:
            joint = (self.shares.double()[:, None] * self.weights.double()).flatten()
            weights, first = joint.expand(len(uniforms), -1), torch.zeros_like(uniforms[:, 0], dtype=torch.int64)
        edges = weights.cumsum(-1)
        chosen = first + (edges / edges[:, -1:] <= uniforms[:, -1:].double()).sum(-1)
        normals = normal(uniforms[:, :-1])
        moved = (self.factors.flatten(0, 1)[chosen].double() @ normals[..., None])[..., 0]
        return (self.means.flatten(0, 1)[chosen].double() + moved).to(self.means.dtype)

    def _fit(self, group: int, values: np.ndarray, seed: int) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        ridge = RIDGE * float(values.var(0).mean()) + 1e-12
        count = min(self.components, len(values))
        mixture = GaussianMixture(count, reg_covar=ridge, max_iter=ROUNDS, random_state=seed % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of few distinct items, or ROUNDS reached: good enough
            mixture.fit(values)
        for buffer, found in (
            (self.weights, mixture.weights_),
            (self.means, mixture.means_),
            (self.factors, np.linalg.cholesky(mixture.covariances_)),
        ):
            buffer[group].zero_()
            buffer[group, :count] = torch.from_numpy(found).to(buffer)


def normal(uniforms: Tensor) -> Tensor:
    """Standard normal numbers, float64, of uniform ones in [0, 1): the inverse of the normal distribution function."""
    return torch.special.ndtri(uniforms.double().clamp(EDGE, 1 - EDGE))
