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

from neurogen.blocks.causal_attention import AttentionState, CausalSpikingAttention
from neurogen.config import NeuronConfig, PriorModelConfig
from neurogen.neurons import make_neuron


class Block(nn.Module):
    """(T, N, L, dim) -> same."""

    def __init__(self, config: PriorModelConfig, neurons: NeuronConfig) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(config.dim), CausalSpikingAttention(config, neurons)
        self.norm2 = nn.LayerNorm(config.dim)
        self.expand = nn.Linear(config.dim, 4 * config.dim)
        self.neuron = make_neuron(neurons)
        self.contract = nn.Linear(4 * config.dim, config.dim)
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

    Without `neighbours` position i reads code i - 1, position 0 the start token; with it, the codes on the left, above,
    above right and above left, each from a table of its own whose last row stands for "outside".
    """

    def __init__(self, config: PriorModelConfig) -> None:
        super().__init__()
        self.codes, self.width, self.length = config.codes, config.width, config.height * config.width
        self.neighbours, self.label_everywhere = config.neighbours, config.label_everywhere
        delays = self._delays() if config.neighbours else []
        rows = config.codes + 1 if config.neighbours else config.codes
        self.tables = nn.ModuleList(nn.Embedding(rows, config.dim) for _ in delays or [1])
        self.start = None if config.neighbours else nn.Parameter(torch.zeros(config.dim))
        self.labels = nn.Embedding(config.classes, config.dim) if config.classes else None
        self.positions = nn.Parameter(torch.zeros(config.block_size or self.length, config.dim))

    def forward(self, codes: Tensor, labels: Tensor | None) -> Tensor:
        """All positions: codes (N, L) -> (N, L, dim)."""
        n, length = codes.shape
        x = self.positions[:length].expand(n, -1, -1)
        if self.neighbours:
            padded = torch.cat((codes, codes.new_full((n, 1), self.codes)), 1)
            for table, delay in zip(self.tables, self._delays(), strict=True):
                sources = [self._source(i, delay) for i in range(length)]
                index = [length if source is None else source for source in sources]
                x = x + table(padded[:, index])
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
            for table, delay in zip(self.tables, self._delays(), strict=True):
                source = self._source(position, delay)
                row = codes[:, source] if source is not None else codes.new_full((len(codes),), self.codes)
                x = x + table(row)
        else:
            x = x + (self.tables[0](codes[:, position - 1]) if position else self.start)
        if self.labels is not None and (position == 0 or self.label_everywhere):
            x = x + self.labels(labels)
        return x

    def _delays(self) -> list[tuple[int, int]]:
        return [(0, 1), (1, 0), (1, -1), (1, 1)]  # rows up, columns left: left, above, above right, above left

    def _source(self, position: int, delay: tuple[int, int]) -> int | None:
        row, column = position // self.width - delay[0], position % self.width - delay[1]
        return row * self.width + column if row >= 0 and 0 <= column < self.width else None


class SpikingPrior(nn.Module):
    """The prior of a configuration."""

    def __init__(self, model: PriorModelConfig, neurons: NeuronConfig) -> None:
        super().__init__()
        self.config = model
        self.steps, self.shape = model.steps, (model.height, model.width)
        self.length = model.height * model.width
        self.embedding = Embedding(model)
        self.blocks = nn.ModuleList(Block(model, neurons) for _ in range(model.layers))
        self.norm = nn.LayerNorm(model.dim)
        self.head = nn.Linear(model.dim, model.codes, bias=False)
        self._initialise()

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N, L, K) of each code given those before it; codes (N, h, w) or (N, L), labels (N,) or None."""
        labels = self._checked(labels, len(codes))
        x = self.embedding(codes.flatten(1), labels).expand(self.steps, -1, -1, -1)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)).mean(0)

    def loss(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Mean negative log-likelihood of a code, in nats."""
        return F.cross_entropy(self(codes, labels).flatten(0, 1), codes.flatten())

    @torch.inference_mode()
    def bits_per_code(self, codes: Tensor, labels: Tensor | None = None, batch: int = 256) -> float:
        """Mean bits per code over all of codes (N, h, w)."""
        total = 0.0
        for start in range(0, len(codes), batch):
            part = slice(start, start + batch)
            logits = self(codes[part], None if labels is None else labels[part])
            total += float(F.cross_entropy(logits.flatten(0, 1).double(), codes[part].flatten(), reduction="sum"))
        return total / codes.numel() / math.log(2)

    @torch.inference_mode()
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

        top_k keeps the k likeliest codes, top_p the fewest whose probability reaches p. prefix: (N, P) first codes in
        raster order, kept as they are. Raises ValueError for values out of range.
        """
        _check_sampling(temperature, top_k, top_p)
        labels = self._checked(labels, len(uniforms))
        known = 0 if prefix is None else prefix.shape[1]
        if known > self.length:
            raise ValueError(f"expected at most {self.length} codes to complete, got {known}")
        codes = uniforms.new_zeros((len(uniforms), self.length), dtype=torch.int64)
        states = [AttentionState() for _ in self.blocks]
        for i in range(self.length):
            if i < known:
                assert prefix is not None
                self.step(codes, i, labels, states)
                codes[:, i] = prefix[:, i]
            else:
                logits = self.step(codes, i, labels, states)
                codes[:, i] = draw(logits, uniforms[:, i], temperature, top_k, top_p)
        return codes.view(-1, *self.shape)

    def step(self, codes: Tensor, position: int, labels: Tensor | None, states: list[AttentionState]) -> Tensor:
        """Logits (N, K) at one position from the codes before it and the states, which move on."""
        x = self.embedding.at(codes, position, labels).expand(self.steps, -1, -1)
        for block, state in zip(self.blocks, states, strict=True):
            x = block.step(x, state, position)
        return self.head(self.norm(x)).mean(0)

    def _checked(self, labels: Tensor | None, n: int) -> Tensor | None:
        if self.config.classes and labels is None:
            raise ValueError(f"expected {n} labels for a prior of {self.config.classes} classes, got none")
        if not self.config.classes and labels is not None:
            raise ValueError("expected no labels for an unconditional prior; train one with model.classes")
        return labels

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


def draw(logits: Tensor, uniforms: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """Codes (N,) by inverting the distribution of logits (N, K) at uniforms (N,), in float64."""
    probability = torch.softmax(logits.double() / temperature, -1)
    if top_k is not None or top_p is not None:
        ordered, order = torch.sort(probability, dim=-1, descending=True, stable=True)
        keep = torch.ones_like(ordered, dtype=torch.bool)
        if top_k is not None:
            keep[:, top_k:] = False
        if top_p is not None:
            before = ordered.cumsum(-1) - ordered
            keep &= before < top_p
        probability = torch.zeros_like(probability).scatter_(-1, order, ordered * keep)
    total = probability.cumsum(-1)
    target = uniforms.to(total)[:, None] * total[:, -1:]
    code = torch.searchsorted(total, target, right=True).squeeze(-1)
    last = (probability > 0).to(torch.int64).cumsum(-1).argmax(-1)  # never beyond the last possible code
    return torch.minimum(code, last)


def _check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    if not temperature > 0 or not math.isfinite(temperature):
        raise ValueError(f"expected a temperature above 0, got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"expected top_k of 1 or more, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"expected top_p in (0, 1], got {top_p}")
