"""The spiking GPT over codes (second stage of TTS-VQVAE).

    x += proj(A(LN x));  x += W2 LIF(W1 LN x)       the same embedding enters at each of T steps; logits are averaged
                                                    over T; A: `blocks/causal_attention.py`

Training runs all positions at once; sampling runs the exact recurrence, one position at a time, whose cost does not
grow with the position. Source: arXiv 2405.14474 and its release, with a start token of its own. Options for small
data: neighbour tables, gains per offset, attention over i + 1, the label at every position.
Shapes: T steps, N batch, L = h w positions in raster order, K codes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurogen.blocks.attention_state import AttentionState
from neurogen.blocks.causal_attention import CausalSpikingAttention
from neurogen.blocks.thin_linear import ThinLinear
from neurogen.config import NeuronConfig, PriorModelConfig
from neurogen.models.drawing import check_drawing, draw
from neurogen.neurons import make_neuron

# Codes that position i reads beside its own place, as (rows up, columns left): left, above, above right, above left.
NEIGHBOURS = ((0, 1), (1, 0), (1, -1), (1, 1))


class Block(nn.Module):
    """(T, N, L, dim) -> same."""

    def __init__(self, config: PriorModelConfig, neurons: NeuronConfig) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(config.dim), CausalSpikingAttention(config, neurons)
        self.norm2 = nn.LayerNorm(config.dim)
        self.expand = ThinLinear(config.dim, 4 * config.dim)
        self.neuron = make_neuron(neurons)
        self.contract = ThinLinear(4 * config.dim, config.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self._mlp(x))

    def step(self, x: Tensor, state: AttentionState, position: int) -> Tensor:
        """One position: (T, N, dim) -> same."""
        x = x + self.attention.step(self.norm1(x), state, position)
        return x + self._mlp(x)

    def _mlp(self, x: Tensor) -> Tensor:
        self.neuron.reset()
        return self.contract(self.neuron(self.expand(self.norm2(x))))


class Embedding(nn.Module):
    """Codes before each position, the position and the label: (N, dim) per position.

    Without `neighbours` position i reads code i - 1, position 0 the start token; with it, four codes around it, each
    from a table of its own whose last row stands for "outside".
    """

    def __init__(self, config: PriorModelConfig) -> None:
        super().__init__()
        self.outside, self.neighbours, self.label_everywhere = config.codes, config.neighbours, config.label_everywhere
        length = config.height * config.width
        room = config.block_size or length
        if room < length:
            raise ValueError(
                f"expected model.block_size of {length} or more for {length} codes, got {room}; 0 takes {length}"
            )
        rows = config.codes + 1 if config.neighbours else config.codes
        self.tables = nn.ModuleList(nn.Embedding(rows, config.dim) for _ in (NEIGHBOURS if config.neighbours else [0]))
        self.start = None if config.neighbours else nn.Parameter(torch.zeros(config.dim))
        self.labels = nn.Embedding(config.classes, config.dim) if config.classes else None
        self.positions = nn.Parameter(torch.zeros(room, config.dim))
        self.sources = [[_source(i, config.width, delay) for i in range(length)] for delay in NEIGHBOURS]

    def forward(self, codes: Tensor, labels: Tensor | None) -> Tensor:
        """All positions: codes (N, L) -> (N, L, dim)."""
        n, length = codes.shape
        x = self.positions[:length].expand(n, -1, -1)
        if self.neighbours:
            padded = torch.cat((codes, codes.new_full((n, 1), self.outside)), 1)
            for table, sources in zip(self.tables, self.sources, strict=True):
                x = x + table(padded[:, sources[:length]])
        else:
            assert self.start is not None
            x = x + torch.cat((self.start.expand(n, 1, -1), self.tables[0](codes[:, :-1])), 1)
        if self.labels is not None:
            label = self.labels(labels)[:, None]
            x = x + label if self.label_everywhere else torch.cat((x[:, :1] + label, x[:, 1:]), 1)
        return x

    def at(self, codes: Tensor, position: int, labels: Tensor | None) -> Tensor:
        """One position from the codes before it: codes (N, >= position) -> (N, dim)."""
        x = self.positions[position].expand(len(codes), -1)
        if self.neighbours:
            for table, sources in zip(self.tables, self.sources, strict=True):
                source = sources[position]
                x = x + (table(codes[:, source]) if source >= 0 else table.weight[self.outside])
        else:
            x = x + (self.tables[0](codes[:, position - 1]) if position else self.start)
        if self.labels is not None and (position == 0 or self.label_everywhere):
            x = x + self.labels(labels)
        return x


def _source(position: int, width: int, delay: tuple[int, int]) -> int:
    """The position whose code lies `delay` before this one on the map, or -1 (the last, padded one) for outside."""
    row, column = position // width - delay[0], position % width - delay[1]
    return row * width + column if row >= 0 and 0 <= column < width else -1


class SpikingPrior(nn.Module):
    """The prior of a configuration. Every call starts from resting neurons and an empty memory."""

    def __init__(self, model: PriorModelConfig, neurons: NeuronConfig) -> None:
        super().__init__()
        self.config = model
        self.steps, self.shape = model.steps, (model.height, model.width)
        self.length = model.height * model.width
        self.embedding = Embedding(model)
        self.blocks = nn.ModuleList(Block(model, neurons) for _ in range(model.layers))
        self.norm = nn.LayerNorm(model.dim)
        self.head = ThinLinear(model.dim, model.codes, bias=False)
        self._initialise()

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N, L, K) of each code given those before it; codes (N, h, w) or (N, L), labels (N,) or None."""
        codes = codes.flatten(1)
        if codes.shape[1] > self.length:
            raise ValueError(f"expected at most {self.length} codes, got {codes.shape[1]}")
        self._check_labels(labels, len(codes))
        x = self.embedding(codes, labels).expand(self.steps, -1, -1, -1)
        for block in self.blocks:
            x = block(x)
        return self._read_out(x)

    def loss(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Mean negative log-likelihood of a code, in nats."""
        return F.cross_entropy(self(codes, labels).flatten(0, 1), codes.flatten())

    @torch.no_grad()
    def bits_per_code(self, codes: Tensor, labels: Tensor | None = None, batch: int = 256) -> float:
        """Mean bits per code over all of codes (N, h, w), without dropout."""
        training, total = self.training, 0.0
        self.eval()
        try:
            for start in range(0, len(codes), batch):
                part = slice(start, start + batch)
                logits = self(codes[part], None if labels is None else labels[part])
                # In float64, which Apple's GPUs lack.
                rows, targets = logits.flatten(0, 1).cpu().double(), codes[part].flatten().cpu()
                total += float(F.cross_entropy(rows, targets, reduction="sum"))
        finally:
            self.train(training)
        return total / codes.numel() / math.log(2)

    @torch.no_grad()
    def sample(
        self,
        uniforms: Tensor,
        labels: Tensor | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        prefix: Tensor | None = None,
    ) -> Tensor:
        """Codes (N, h, w) by inversion of uniforms (N, L) in [0, 1): the same numbers give the same codes.

        They are drawn in float64 where the uniforms lie, which is the CPU where the network's device has no float64.
        top_k keeps the k likeliest codes, top_p then the fewest whose probability reaches p (`drawing.probabilities`).
        prefix: (N, P) first codes in raster order, kept as they are. Never with dropout.
        Raises ValueError for shapes or values that do not fit.
        """
        check_drawing(temperature, top_k, top_p)
        if uniforms.ndim != 2 or uniforms.shape[1] != self.length:
            raise ValueError(f"expected uniforms of shape (N, {self.length}), got {tuple(uniforms.shape)}")
        self._check_labels(labels, len(uniforms))
        codes = torch.zeros(uniforms.shape, dtype=torch.int64, device=self.embedding.positions.device)
        known = 0 if prefix is None else self._take_prefix(prefix, codes)
        states = self.start()
        for i in range(self.length if known < self.length else 0):
            x = self._advance(codes, i, labels, states)
            if i >= known:
                logits = self._read_out(x).to(uniforms.device)
                codes[:, i] = draw(logits, uniforms[:, i], temperature, top_k, top_p)
        return codes.view(-1, *self.shape)

    def start(self) -> list[AttentionState]:
        """Empty memories for `step`, one per block."""
        return [block.attention.start() for block in self.blocks]

    @torch.no_grad()
    def step(self, codes: Tensor, position: int, labels: Tensor | None, states: list[AttentionState]) -> Tensor:
        """Logits (N, K) of the code at `position` from the codes before it; positions come in order, states move on."""
        return self._read_out(self._advance(codes, position, labels, states))

    def _advance(self, codes: Tensor, position: int, labels: Tensor | None, states: list[AttentionState]) -> Tensor:
        x = self.embedding.at(codes, position, labels).expand(self.steps, -1, -1)
        for block, state in zip(self.blocks, states, strict=True):
            x = block.step(x, state, position)
        return x

    def _read_out(self, x: Tensor) -> Tensor:
        return self.head(self.norm(x)).mean(0)

    def _take_prefix(self, prefix: Tensor, codes: Tensor) -> int:
        n, length = codes.shape
        if prefix.ndim != 2 or len(prefix) != n or prefix.shape[1] > length:
            raise ValueError(f"expected a prefix of shape ({n}, {length} or less), got {tuple(prefix.shape)}")
        if prefix.numel() and not 0 <= int(prefix.min()) <= int(prefix.max()) < self.config.codes:
            found = f"{int(prefix.min())} to {int(prefix.max())}"
            raise ValueError(f"expected codes 0 to {self.config.codes - 1} in the prefix, got {found}")
        codes[:, : prefix.shape[1]] = prefix
        return prefix.shape[1]

    def _check_labels(self, labels: Tensor | None, n: int) -> None:
        if self.config.classes and labels is None:
            raise ValueError(f"expected {n} labels for a prior of {self.config.classes} classes, got none")
        if not self.config.classes and labels is not None:
            raise ValueError("expected no labels for an unconditional prior; train one with model.classes")
        if labels is not None and labels.shape != (n,):
            raise ValueError(f"expected labels of shape ({n},), got {tuple(labels.shape)}")

    def _initialise(self) -> None:
        """published: N(0, 0.02), zero biases; scaled: variance kept by fan-in, small embeddings, quiet residuals."""
        published, layers = self.config.init == "published", self.config.layers
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                residual = name.endswith(("proj", "contract"))
                scaled = (1 / (2 * layers * module.in_features) if residual else 1 / module.in_features) ** 0.5
                nn.init.normal_(module.weight, 0.0, 0.02 if published or name == "head" else scaled)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, 0.0, 0.02 if published else 0.3)
        if self.embedding.start is not None:
            nn.init.normal_(self.embedding.start, 0.0, 0.02 if published else 0.3)
        if not published:
            nn.init.normal_(self.embedding.positions, 0.0, 0.3)
