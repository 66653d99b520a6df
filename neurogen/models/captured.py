"""Sampling as a CUDA graph: one position of the prior, captured once and replayed for every position.

A position of a large prior is hundreds of small kernels, which Python launches more slowly than the GPU runs them. Here
all that changes from position to position lies in tensors that stay where they are (place, tokens so far, memories,
random numbers), so that the whole step, the draw included, replays without Python and without waiting.
Shapes: R sequences, L positions, m bits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from neurogen.blocks.attention_state import AttentionState, CountMatrix
from neurogen.models.drawing import bits_at, check_logits, invert, softened

if TYPE_CHECKING:
    from neurogen.models.prior import SpikingPrior

LEAST = 4  # positions from which capturing one pays


@dataclass(frozen=True)
class Drawing:
    """How codes are drawn from logits; see `drawing.probabilities`."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __call__(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        """Tokens of R sequences, without a check of the logits."""
        if logits.shape == uniforms.shape:
            return bits_at(logits, uniforms, self.temperature)
        return invert(softened(logits, self.temperature, self.top_k, self.top_p), uniforms)


@dataclass(eq=False)
class Place:
    """What one position reads and writes, in tensors that are filled anew for every batch and never replaced.

    tokens: (R, L + 1[, m]) int64, the last position outside; uniforms: (R, L[, m]) float64; labels: (R,) or None;
    position, known: (1,) int64, where we are and how many tokens are given; logits: the last ones.
    """

    tokens: Tensor
    uniforms: Tensor
    labels: Tensor | None
    position: Tensor
    known: Tensor
    finite: Tensor
    memories: list[AttentionState]

    @classmethod
    def of(cls, prior: SpikingPrior, rows: int) -> Place:
        """Room for `rows` sequences where the prior's weights are."""
        like, order = prior.embedding.positions.detach(), prior.order
        shape = (rows, order.length, *order.token_shape)
        position = torch.zeros(1, dtype=torch.int64, device=like.device)
        outside = torch.full((rows, 1, *order.token_shape), prior.embedding.outside, device=like.device)
        return cls(
            torch.cat((torch.zeros(shape, dtype=torch.int64, device=like.device), outside), 1),
            torch.zeros(shape, dtype=torch.float64, device=like.device),
            torch.zeros(rows, dtype=torch.int64, device=like.device) if prior.config.classes else None,
            position,
            torch.zeros_like(position),
            torch.ones(1, dtype=torch.bool, device=like.device),
            [block.attention.start_fixed(position, prior.steps, rows) for block in prior.blocks],
        )

    def fill(self, prior: SpikingPrior, tokens: Tensor, uniforms: Tensor, labels: Tensor | None, known: int) -> None:
        """Start a batch of sequences (R, L[, m]) whose first `known` tokens are given."""
        self.tokens[:, :-1].copy_(tokens)
        self.uniforms.copy_(uniforms)
        if self.labels is not None and labels is not None:
            self.labels.copy_(labels)
        self.position.zero_()
        self.known.fill_(known)
        self.finite.fill_(True)
        for block, memory in zip(prior.blocks, self.memories, strict=True):
            if isinstance(memory, CountMatrix):
                memory.counts.zero_()  # type: ignore[union-attr]
            else:  # what it remembers beyond the position weighs nothing
                memory.gains.copy_(block.attention.pair_gains())


def advance(prior: SpikingPrior, place: Place, drawing: Drawing) -> None:
    """One position: draw its token where it is not given, and move on."""
    position = place.position
    x = prior.embedding.at_fixed(place.tokens, position, place.labels).expand(prior.steps, -1, -1)
    for block, memory in zip(prior.blocks, place.memories, strict=True):
        x = block.step(x, memory, position)
    logits, drawn = prior.drawn(x, place.uniforms.index_select(1, position).squeeze(1), drawing)
    place.finite.logical_and_(torch.isfinite(logits).all())
    given, drawn = place.tokens.index_select(1, position), drawn.unsqueeze(1)
    given_here = (position < place.known).view([1] * given.ndim)
    place.tokens.index_copy_(1, position, torch.where(given_here, given, drawn))
    position.add_(1)


@dataclass(eq=False)
class Captured:
    """A place and what moves it on by one position; key: for which call and which weights it was made."""

    key: tuple[object, ...]
    place: Place
    replay: Callable[[], None]


_kept: WeakKeyDictionary[SpikingPrior, Captured] = WeakKeyDictionary()  # one a prior: memories may be large


def sampled(
    prior: SpikingPrior, tokens: Tensor, uniforms: Tensor, labels: Tensor | None, known: int, drawing: Drawing
) -> Tensor | None:
    """Tokens (R, L[, m]) by replays of a graph, or None where this prior cannot be captured or it would not pay.

    Raises ValueError for logits that are not numbers.
    """
    if prior.length - known < LEAST or not _can_capture(tokens):
        return None
    key = (len(tokens), drawing, *(t.data_ptr() for t in prior.parameters()))
    found = _kept.get(prior)
    if found is None or found.key != key:
        _kept.pop(prior, None)
        try:
            with _on(tokens.device):
                found = _capture(prior, len(tokens), drawing, key)
        except RuntimeError as error:  # a neuron or product that a graph does not take
            warnings.warn(f"sampling runs uncaptured: {' '.join(str(error).split())[:160]}", stacklevel=3)
            return None
        _kept[prior] = found
    place = found.place
    with _on(tokens.device):
        place.fill(prior, tokens, uniforms, labels, known)
        for _ in range(prior.length):
            found.replay()
    if not place.finite:
        check_logits(torch.full((), float("nan")))
    return place.tokens[:, :-1].clone()


def _on(device: torch.device) -> AbstractContextManager[object]:
    """While the block runs, streams and graphs are that GPU's, which need not be the one that torch takes unasked."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _can_capture(tokens: Tensor) -> bool:
    return tokens.is_cuda and not torch.cuda.is_current_stream_capturing()


@torch.inference_mode(False)
@torch.no_grad()
def _capture(prior: SpikingPrior, rows: int, drawing: Drawing, key: tuple[object, ...]) -> Captured:
    place = Place.of(prior, rows)
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # a first run, so that nothing is compiled or set up while capturing
        advance(prior, place, drawing)
    torch.cuda.current_stream().wait_stream(stream)
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        advance(prior, place, drawing)
    return Captured(key, place, graph.replay)
