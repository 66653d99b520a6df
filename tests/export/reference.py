"""The chip's rules once more, slowly, straight from their description: lava step after lava step, in int64.

Independent of `export`'s simulator: streams all samples one after the other through the one-step delays, clears
u and v on the wavefront (reset_interval=T, reset_offset=1) and takes the aligned rows.
"""

from __future__ import annotations

import numpy as np

from export.chip import Chip, ChipLayer

TOP = 2**23


def trunc(values: np.ndarray, keep: np.ndarray) -> np.ndarray:
    return np.sign(values) * ((np.abs(values) * keep) // 4096)


def synapses(layer: ChipLayer, s: np.ndarray) -> np.ndarray:
    w = layer.weight.astype(np.int64)
    if layer.kind == "dense":
        return (w @ s.reshape(-1)) >> layer.shift
    if s.ndim == 1:
        s = s[:, None, None]
    out = np.zeros(layer.shape, np.int64)
    (sh, sw), (ph, pw), (dh, dw) = layer.stride, layer.padding, layer.dilation
    channels, height, width = layer.shape
    outputs = channels // layer.groups
    if layer.kind == "conv":
        inputs = w.shape[1]
        padded = np.pad(s, ((0, 0), (ph, ph), (pw, pw)))
        for o in range(channels):
            group = padded[o // outputs * inputs : (o // outputs + 1) * inputs]
            for i in range(w.shape[2]):
                for j in range(w.shape[3]):
                    rows = slice(i * dh, i * dh + sh * (height - 1) + 1, sh)
                    columns = slice(j * dw, j * dw + sw * (width - 1) + 1, sw)
                    out[o] += (w[o, :, i, j, None, None] * group[:, rows, columns]).sum(0)
    else:
        inputs = w.shape[0] // layer.groups
        for c, y, x in zip(*np.nonzero(s), strict=True):
            for i in range(w.shape[2]):
                for j in range(w.shape[3]):
                    yo, xo = y * sh - ph + i * dh, x * sw - pw + j * dw
                    if 0 <= yo < height and 0 <= xo < width:
                        first = c // inputs * outputs
                        out[first : first + outputs, yo, xo] += w[c, :, i, j] * s[c, y, x]
    return (out + TOP) % (2 * TOP) - TOP


def each(values: object, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(values, np.int64)
    if array.size == 1:
        return array.reshape(())
    return array.reshape(-1, *[1] * (len(shape) - 1)) if array.ndim == 1 else array


def lava_steps(chip: Chip, given: np.ndarray) -> list[np.ndarray]:
    """given (T, N, *frame) integers -> each layer's spikes, or membranes or running sums, (T, N, *its shape)."""
    steps, samples = given.shape[:2]
    stream = given.swapaxes(0, 1).reshape(samples * steps, *chip.frame_shape).astype(np.int64)
    layers = chip.layers
    a = [np.zeros(layer.shape, np.int64) for layer in layers]
    u = [np.zeros(layer.shape, np.int64) for layer in layers]
    v = [np.zeros(layer.shape, np.int64) for layer in layers]
    records: list[list[np.ndarray]] = [[] for _ in layers]
    for step in range(1, len(stream) + len(layers) + 1):
        s = stream[step - 1] if step <= len(stream) else np.zeros_like(stream[0])
        for n, layer in enumerate(layers):
            arrived, a[n] = a[n], synapses(layer, s)
            if layer.output == "sigma":
                v[n] = v[n] + arrived
                s = v[n]
            else:
                if step % steps == (1 + 1 + n) % steps:
                    u[n], v[n] = np.zeros_like(u[n]), np.zeros_like(v[n])
                u[n] = trunc(u[n], 4096 - each(layer.i_decay, layer.shape)) + 64 * arrived
                u[n] = np.where(u[n] > TOP, u[n] - 2 * TOP, u[n])
                u[n] = np.where(u[n] <= -TOP, u[n] + 2 * TOP, u[n])
                bias = 0 if layer.bias is None else each(layer.bias, layer.shape)
                v[n] = trunc(v[n], 4096 - each(layer.v_decay, layer.shape)) + u[n] + 64 * bias
                v[n] = np.clip(v[n], 1 - TOP, TOP - 1)
                s = (v[n] > 64 * each(layer.v_threshold, layer.shape)).astype(np.int64)
                v[n] = np.where(s > 0, 0, v[n])
            records[n].append(v[n] if layer.output == "membrane" else s)
    aligned = [np.stack(rows[n + 1 : n + 1 + len(stream)]) for n, rows in enumerate(records)]
    return [rows.reshape(samples, steps, *rows.shape[1:]).swapaxes(0, 1) for rows in aligned]
