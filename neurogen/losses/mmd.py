"""Maximum mean discrepancy of two batches of vectors under Gaussian kernels of five widths.

    MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y),   k(a, b) = sum_i exp(-|a - b|^2 / (w 2^i)),  i = -2..2

(Gretton et al. 2012, the biased estimate.) w is the mean squared distance of all pairs of the 2 N vectors, through
which no gradient flows, as in ESVAE's release (arXiv 2310.14839). With labels k counts pairs of one label alone: the
joint distributions of vector and label are compared, so that each class is matched by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurogen.full_precision import full_precision, wide

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)  # of w


def rbf_mmd(x: Tensor, y: Tensor, labels: Tensor | None = None) -> Tensor:
    """Scalar of x and y (N, C); labels: (N,) int64, of x and of y."""
    n = len(x)
    both = torch.cat((wide(x), wide(y)))
    with full_precision(both):
        squares = both.square().sum(1)
        distances = (squares[:, None] + squares[None, :] - 2 * both @ both.T).clamp_min(0)
    width = distances.detach().sum() / (2 * n * (2 * n - 1))
    # nothing differs where all vectors are equal: a width of 0 would divide 0 by 0
    width = width.clamp_min(torch.finfo(width.dtype).tiny)
    kernel = torch.stack([(-distances / (scale * width)).exp() for scale in SCALES]).sum(0)
    if labels is not None:
        twice = labels.repeat(2)
        kernel = kernel * (twice[:, None] == twice[None, :])
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()
