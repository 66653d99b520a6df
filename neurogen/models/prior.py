"""The spiking GPT over codes (second stage of TTS-VQVAE).

    x += proj(A(LN x));  x += W2 LIF(W1 LN x)       the same embedding enters at each of T steps; logits are averaged
                                                    over T; A: `blocks/causal_attention.py`

Training runs all positions at once; sampling runs the exact recurrence, one position at a time, whose cost does not
grow with the position. Which codes of an item are predicted in turn: `blocks/tokens.py`. Source: arXiv 2405.14474 and
its release, with a start token of its own. Options for small data: neighbour tables, gains per offset, attention over
i + 1, the label at every position.
Shapes: T steps, N batch, L positions, K codes; tokens (N, L) of indices or (N, L, m) of bits.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurogen.blocks.attention_state import AttentionState
from neurogen.blocks.causal_attention import CausalSpikingAttention
from neurogen.blocks.thin_linear import ThinLinear
from neurogen.blocks.tokens import TokenOrder
from neurogen.config import NeuronConfig, PriorModelConfig
from neurogen.models.bits_in_turn import BitsInTurn
from neurogen.models.captured import Drawing, sampled
from neurogen.models.drawing import check_drawing, check_logits
from neurogen.models.embedding import BitTable, Embedding
from neurogen.neurons import make_neuron
from neurogen.processes import all_parts, own_parts


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

    def step(self, x: Tensor, state: AttentionState, position: int | Tensor) -> Tensor:
        """One position: (T, N, dim) -> same."""
        x = x + self.attention.step(self.norm1(x), state, position)
        return x + self._mlp(x)

    def _mlp(self, x: Tensor) -> Tensor:
        self.neuron.reset()
        return self.contract(self.neuron(self.expand(self.norm2(x))))


class SpikingPrior(nn.Module):
    """The prior of a configuration. Every call starts from resting neurons and an empty memory."""

    def __init__(self, model: PriorModelConfig, neurons: NeuronConfig) -> None:
        super().__init__()
        self.config, self.order = model, TokenOrder.of(model)
        self.steps, self.length = model.steps, self.order.length
        self.embedding = Embedding(model, self.order)
        self.blocks = nn.ModuleList(Block(model, neurons) for _ in range(model.layers))
        self.norm = nn.LayerNorm(model.dim)
        self.head = ThinLinear(model.dim, model.bits or model.codes, bias=False)
        self.in_turn = BitsInTurn(model.dim, model.bits) if model.bits_in_turn else None
        self._initialise()

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits of each token given those before it: (N, L, K), or (N, L, m) of each bit being 1.

        codes: items (N, *item_shape), of which `TokenOrder.sequences` rows come each, or tokens; labels (N,) or None.
        """
        tokens, labels = self._sequences(codes, labels)
        if tokens.shape[1] > self.length:
            raise ValueError(f"expected at most {self.length} codes, got {tokens.shape[1]}")
        self._check_labels(labels, len(tokens))
        x = self.embedding(tokens, labels).expand(self.steps, -1, -1, -1)
        for block in self.blocks:
            x = block(x)
        return self.read_out(x, tokens)

    def loss(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Mean negative log-likelihood of a token, in nats; that of m bits is their sum."""
        tokens, labels = self._sequences(codes, labels)
        return _nats(self(tokens, labels), tokens, "mean")

    @torch.no_grad()
    def bits_per_code(
        self, codes: Tensor, labels: Tensor | None = None, batch: int = 256, together: bool = False
    ) -> float:
        """Mean bits per token over all of codes (N, *item_shape), without dropout.

        together: all processes call this with the same codes and do a share of the work each.
        """
        training, batches, found = self.training, -(-len(codes) // batch), []
        self.eval()
        try:
            for start in (batch * part for part in (own_parts(batches) if together else range(batches))):
                part = slice(start, start + batch)
                tokens, given = self._sequences(codes[part], None if labels is None else labels[part])
                # In float64, which Apple's GPUs lack.
                nats = float(_nats(self(tokens, given).cpu().double(), tokens.cpu(), "sum"))
                found.append(torch.tensor([nats, tokens.shape[0] * tokens.shape[1]], dtype=torch.float64))
        finally:
            self.train(training)
        found = all_parts(found, batches) if together else found
        total, count = (sum(column) for column in zip(*(part.tolist() for part in found), strict=True))
        return total / count / math.log(2)

    @property
    def codes_per_item(self) -> int:
        """Tokens of an item: bits per code times this are bits per item, comparable between forms of codes."""
        return self.length * self.order.sequences

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
        """Items (N, *item_shape) by inversion of uniforms (N, U) in [0, 1): the same numbers give the same codes.

        They are drawn in float64 where the uniforms lie, which is the CPU where the network's device has no float64; on
        CUDA a graph draws them on the device.
        top_k keeps the k likeliest codes, top_p then the fewest whose probability reaches p (`drawing.probabilities`);
        codes of bits have neither. prefix: first tokens of each sequence, kept as they are: (N, P), (N, T, P) for
        over=step, with a last axis of m for bits. Never with dropout. Raises ValueError for what does not fit.
        """
        check_drawing(temperature, top_k, top_p)
        if self.config.bits and not (top_k is None and top_p is None):
            raise ValueError("expected no top_k and no top_p for codes of bits, got one; take a temperature below 1")
        order, n = self.order, len(uniforms)
        if uniforms.ndim != 2 or uniforms.shape[1] != order.uniforms:
            raise ValueError(f"expected uniforms of shape (N, {order.uniforms}), got {tuple(uniforms.shape)}")
        self._check_labels(labels, n)
        uniforms = uniforms.reshape(n * order.sequences, order.length, *order.token_shape)
        labels = None if labels is None else labels.repeat_interleave(order.sequences)
        codes = torch.zeros(uniforms.shape, dtype=torch.int64, device=self.embedding.positions.device)
        known = 0 if prefix is None else self._take_prefix(prefix, codes)
        drawing = Drawing(temperature, top_k, top_p)
        captured = sampled(self, codes, uniforms, labels, known, drawing)
        if captured is not None:
            return order.items(captured)
        states = self.start()
        for i in range(self.length if known < self.length else 0):
            x = self._advance(codes, i, labels, states)
            if i >= known:
                logits, codes[:, i] = self.drawn(x, uniforms[:, i], drawing)
                check_logits(logits)
        return order.items(codes)

    @property
    def prefix_dimensions(self) -> int:
        """Axes of a prefix."""
        return 2 + (self.order.sequences > 1) + bool(self.config.bits)

    def check_prefix(self, prefix: Tensor, n: int) -> None:
        """Raises ValueError for a prefix that `sample` does not complete to n items."""
        several, bits, codes = self.order.sequences, self.config.bits, self.config.codes
        given = list(prefix.shape)
        before, after = [n, *([several] if several > 1 else [])], [bits] if bits else []
        place = len(before)
        fits = len(given) == self.prefix_dimensions and given[:place] + given[place + 1 :] == before + after
        if not fits or given[place] > self.length:
            shape = ", ".join(map(str, (*before, f"{self.length} or less", *after)))
            raise ValueError(f"expected a prefix of shape ({shape}), got {tuple(given)}")
        if prefix.is_floating_point():
            raise ValueError(f"expected a prefix of whole numbers, got {prefix.dtype}; pass prefix.long()")
        if prefix.numel() and not 0 <= int(prefix.min()) <= int(prefix.max()) < codes:
            found = f"{int(prefix.min())} to {int(prefix.max())}"
            raise ValueError(f"expected codes 0 to {codes - 1} in the prefix, got {found}")

    def start(self) -> list[AttentionState]:
        """Empty memories for `step`, one per block."""
        return [block.attention.start() for block in self.blocks]

    @torch.no_grad()
    def step(self, codes: Tensor, position: int, labels: Tensor | None, states: list[AttentionState]) -> Tensor:
        """Logits (N, K) of the code at `position` from the codes before it; positions come in order, states move on.

        Bits in turn also read the code's own bits, each those before it.
        """
        return self.read_out(self._advance(codes, position, labels, states), codes[:, position])

    def _advance(self, codes: Tensor, position: int, labels: Tensor | None, states: list[AttentionState]) -> Tensor:
        x = self.embedding.at(codes, position, labels).expand(self.steps, -1, -1)
        for block, state in zip(self.blocks, states, strict=True):
            x = block.step(x, state, position)
        return x

    def read_out(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Logits (..., K) of features (T, ..., dim); those of bits in turn need the tokens themselves."""
        x = self.norm(x)
        logits = self.head(x).mean(0)
        return logits if self.in_turn is None else logits + self.in_turn(x.mean(0), tokens)

    def drawn(self, x: Tensor, uniforms: Tensor, drawing: Drawing) -> tuple[Tensor, Tensor]:
        """Logits of a position's features (T, N, dim) and the tokens drawn from them, where the uniforms lie."""
        x = self.norm(x)
        logits = self.head(x).mean(0)
        if self.in_turn is not None:
            return self.in_turn.drawn(logits, x.mean(0), uniforms, drawing)
        logits = logits.to(uniforms.device)
        return logits, drawing(logits, uniforms)

    def _sequences(self, codes: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Items, or tokens as they are, as tokens; each sequence with its item's label."""
        if codes.ndim <= 2 + bool(self.config.bits):
            return codes, labels
        several = self.order.sequences
        return self.order.tokens(codes.long()), None if labels is None else labels.repeat_interleave(several)

    def _take_prefix(self, prefix: Tensor, codes: Tensor) -> int:
        self.check_prefix(prefix, len(codes) // self.order.sequences)
        first = prefix.flatten(0, 1) if self.order.sequences > 1 else prefix
        codes[:, : first.shape[1]] = first
        return first.shape[1]

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
            elif isinstance(module, nn.Embedding | BitTable):
                share = module.bits**-0.5 if isinstance(module, BitTable) else 1.0  # of one bit among m that add up
                nn.init.normal_(module.weight, 0.0, (0.02 if published else 0.3) * share)
        if self.embedding.start is not None:
            nn.init.normal_(self.embedding.start, 0.0, 0.02 if published else 0.3)
        if not published:
            for places in (self.embedding.positions, self.embedding.steps):
                if places is not None:
                    nn.init.normal_(places, 0.0, 0.3)


def _nats(logits: Tensor, tokens: Tensor, reduction: str) -> Tensor:
    """Negative log-likelihood of tokens, summed or as the mean over tokens."""
    if logits.ndim == tokens.ndim:  # a logit per bit
        total = F.binary_cross_entropy_with_logits(logits, tokens.to(logits), reduction="sum")
        return total / (tokens.shape[0] * tokens.shape[1]) if reduction == "mean" else total
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction=reduction)
