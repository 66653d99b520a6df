"""The prior once more, plainly: loops over blocks, time steps, heads and positions, weights taken from a model.

An independent check, as `plain.py` is for the first stage; its neurons are used here too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.neurogen.models.plain import lif

WIDTH = 4  # columns of the map of codes


def embedded(prior: nn.Module, codes: Tensor, label: int | None) -> Tensor:
    """Input (L, d) of one sample's codes (L,)."""
    embedding, config = prior.embedding, prior.config
    rows = []
    for i in range(len(codes)):
        x = embedding.positions[i]
        if config.neighbours:
            row, column = divmod(i, WIDTH)
            around = [(row, column - 1), (row - 1, column), (row - 1, column + 1), (row - 1, column - 1)]
            for table, (r, c) in zip(embedding.tables, around, strict=True):
                inside = r >= 0 and 0 <= c < WIDTH
                x = x + table.weight[int(codes[r * WIDTH + c]) if inside else config.codes]
        else:
            x = x + (embedding.tables[0].weight[int(codes[i - 1])] if i else embedding.start)
        if label is not None and (i == 0 or config.label_everywhere):
            x = x + embedding.labels.weight[label]
        rows.append(x)
    return torch.stack(rows)


def attended(q: Tensor, k: Tensor, v: Tensor, attention: nn.Module) -> Tensor:
    """One step of one sample: q, k, v (L, d) spikes -> (L, d), position by position."""
    length, width = len(q), attention.head_width
    heads = []
    for head in range(attention.heads):
        part = slice(head * width, (head + 1) * width)
        rows = []
        for i in range(length):
            total = torch.zeros(width, dtype=q.dtype)
            for j in range(i + 1):
                score = q[i, part] @ k[j, part]
                score = score / (i + 1) if attention.normalise else score / width**0.5
                if attention.gains is not None:
                    raw = attention.gains[head, i // WIDTH - j // WIDTH, i % WIDTH - j % WIDTH + WIDTH - 1]
                    score = score * F.softplus(4 * raw + 0.5413)
                total = total + score * v[j, part]
            rows.append(total)
        heads.append(torch.stack(rows))
    return torch.cat(heads, 1)


def logits(prior: nn.Module, codes: Tensor, label: int | None = None) -> Tensor:
    """(L, K) of one sample's codes (L,)."""
    xs = [embedded(prior, codes, label)] * prior.steps
    for block in prior.blocks:
        attention = block.attention
        spikes = lif([attention.qkv(block.norm1(x)) for x in xs], attention.neuron)
        mixed = [attended(*s.chunk(3, -1), attention) for s in spikes]
        xs = [x + attention.proj(m) for x, m in zip(xs, mixed, strict=True)]
        hidden = lif([block.expand(block.norm2(x)) for x in xs], block.neuron)
        xs = [x + block.contract(h) for x, h in zip(xs, hidden, strict=True)]
    return torch.stack([prior.head(prior.norm(x)) for x in xs]).mean(0)
