"""The first stage once more, plainly: one time step after the other, neurons written out, weights taken from a model.

An independent check: nothing here is shared with the package but the modules that hold the weights.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Steps = list[Tensor]


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u: Tensor, alpha: float) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(u)
        ctx.alpha = alpha
        return (u >= 0).to(u.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        (u,) = ctx.saved_tensors
        return grad * (ctx.alpha - ctx.alpha**2 * u.abs()).clamp(min=0), None


def lif(xs: Steps, node: nn.Module) -> Steps:
    """h = v + (x - v) / tau or v - v / tau + x; fires at h >= threshold; hard reset to 0, detached; triangle."""
    v, spikes = torch.zeros_like(xs[0]), []
    for x in xs:
        h = v + (x - v) / node.tau if node.decay_input else v - v / node.tau + x
        s = _Spike.apply(h - node.v_threshold, node.surrogate_function.alpha)
        v = h * (1 - s.detach())
        spikes.append(s)
    return spikes


def gate(xs: Steps, module: nn.Module) -> Steps:
    return [x * s for x, s in zip(xs, lif(xs, module.neuron), strict=True)]


def each(xs: Steps, function: Callable[[Tensor], Tensor]) -> Steps:
    return [function(x) for x in xs]


def residual(xs: Steps, block: nn.Module) -> Steps:
    hs = each(gate(each(xs, block.norm1), block.gate1), block.conv1)
    hs = each(gate(each(hs, block.norm2), block.gate2), block.conv2)
    return [block.shortcut(x) + h for x, h in zip(xs, hs, strict=True)]


def attention(xs: Steps, block: nn.Module) -> Steps:
    normed = each(xs, block.norm)
    qs, ks = lif(each(normed, block.query), block.query_neuron), lif(each(normed, block.key), block.key_neuron)
    out = []
    for x, q, k, v in zip(xs, qs, ks, each(normed, block.value), strict=True):
        n, c, h, w = x.shape
        scores = torch.einsum("nci,ncj->nij", q.reshape(n, c, -1), k.reshape(n, c, -1)) * c**-0.5
        mixed = torch.einsum("nij,ncj->nci", scores, v.reshape(n, c, -1)).reshape(n, c, h, w)
        out.append(x + block.proj(mixed))
    return out


def gated_layer(xs: Steps, layer: nn.Module) -> Steps:
    """Any layer of the gated encoder or decoder, by its class name."""
    name = type(layer).__name__
    if name == "Folded":
        inner = layer.layer
        if type(inner).__name__ == "_Nearest":
            return each(xs, lambda x: inner.conv(x.repeat_interleave(2, -1).repeat_interleave(2, -2)))
        return each(xs, inner)
    if name == "Downsample":
        return each(xs, lambda x: layer.conv(F.pad(x, (0, 1, 0, 1))))
    return {"GatedResidual": residual, "SpikingAttention": attention, "Gate": gate}[name](xs, layer)


def batch_norm(xs: Steps, norm: nn.BatchNorm2d) -> Steps:
    """Statistics over time steps, samples and pixels together."""
    together = torch.stack(xs)
    if norm.training:
        mean = together.mean((0, 1, 3, 4))
        variance = together.var((0, 1, 3, 4), unbiased=False)
    else:
        mean, variance = norm.running_mean, norm.running_var
    out = (together - mean[:, None, None]) / torch.sqrt(variance[:, None, None] + norm.eps)
    if norm.affine:
        out = out * norm.weight[:, None, None] + norm.bias[:, None, None]
    return list(out)


def conv_bn_lif(xs: Steps, layer: nn.Module) -> Steps:
    return lif(batch_norm(each(xs, layer.conv), layer.norm), layer.neuron)


def spiking_layer(xs: Steps, layer: nn.Module) -> Steps:
    if type(layer).__name__ == "ConvBNLIF":
        return conv_bn_lif(xs, layer)
    inner = conv_bn_lif(xs, layer.first)
    currents = batch_norm(each(inner, layer.conv), layer.norm)
    return lif([c + layer.gain * x for c, x in zip(currents, xs, strict=True)], layer.neuron)


def quantise(zs: Steps, table: Tensor, commitment: float, pull: float) -> tuple[Steps, Tensor, Tensor]:
    """Rows nearest to each site's trajectory by the full table of differences; straight-through values, codes, loss."""
    z = torch.stack(zs)  # (T, N, D, h, w)
    steps, n, d, h, w = z.shape
    vectors = z.permute(1, 3, 4, 0, 2).reshape(n, h, w, steps * d)
    codes = (vectors[..., None, :] - table).square().sum(-1).argmin(-1)
    rows = table[codes]
    loss = commitment * (rows.detach() - vectors).square().mean() + pull * (rows - vectors.detach()).square().mean()
    through = vectors + (rows - vectors).detach()
    return list(through.reshape(n, h, w, steps, d).permute(3, 0, 4, 1, 2)), codes, loss


def read_out(hs: Steps, read: nn.Module, readout: str) -> Tensor:
    """Every step through the last convolution, then aggregated; a sum holds the bias once."""

    def shuffle(y: Tensor) -> Tensor:
        return F.pixel_shuffle(y, 2) if read.upscale == 2 else y

    steps = len(hs)
    if readout == "step":
        y = torch.stack([shuffle(read.conv(h)) for h in hs], 1)
    elif readout == "all":
        y = shuffle(read.conv(torch.cat(hs, 1)))
        y = y.reshape(len(y), steps, -1, *y.shape[-2:])
    else:
        weights = {
            "mean": [1 / steps] * steps,
            "sum": [1.0] * steps,
            "last": [0.0] * (steps - 1) + [1.0],
            "decay": [0.8 ** (steps - 1 - t) for t in range(steps)],
        }[readout]
        bias = read.conv.bias[:, None, None]
        y = shuffle(sum(w * (read.conv(h) - bias) for w, h in zip(weights, hs, strict=True)) + bias)
    return {"linear": lambda v: v, "tanh": torch.tanh, "softplus": lambda v: torch.log1p(torch.exp(v))}[read.output](y)


def forward(
    model: nn.Module, x: Tensor, coding: str, readout: str, commitment: float, pull: float
) -> tuple[Tensor, Tensor, Tensor]:
    """(values, codes, quantiser loss) of a model."""
    steps = model.codebook.steps
    gated = type(model.encoder).__name__ == "GatedEncoder"
    xs = [x[:, t] for t in range(steps)] if coding == "event" else [x] * steps
    if gated:
        for layer in model.encoder:
            xs = gated_layer(xs, layer)
        zs = each(xs, model.quant_conv)
    else:
        xs = conv_bn_lif(xs, model.encoder.stem)
        for layer in model.encoder.body:
            xs = spiking_layer(xs, layer)
        conv, norm = model.encoder.head
        zs = batch_norm(each(xs, conv), norm)
    values, codes, loss = quantise(zs, model.codebook.table, commitment, pull)
    body, read = model.decoder
    hs = each(values, model.post_quant_conv)
    for layer in body:
        hs = (gated_layer if gated else spiking_layer)(hs, layer)
    return read_out(hs, read, readout), codes, loss
