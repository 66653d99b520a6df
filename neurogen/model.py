"""A trained model as a user holds it: sample, encode, decode, reconstruct, save.

Every random number of sample i is a pure function of (seed, i) and batches have one fixed size, so that the first
ten of a hundred samples are the ten samples asked for alone. A model is a first stage with a prior
(`two_stage_model.py`) or one network (`latent_model.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_tools import Events, Frames, to_events
from event_tools.counts import spread_counts, to_counts
from event_tools.profile import RateCurve
from neurogen.data.scaling import Scaling
from neurogen.model_folder import StoredModel, load_model, save_model
from neurogen.processes import all_parts, own_parts

CHUNK = 32  # samples per batch, always: a batch of another size may round differently


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """What a model made.

    labels: (N,) int64, drawn by chance and without meaning where the model is unconditional; codes: int64 (N, h, w),
    or (T, N, h, w) or (T, N, m, h, w) where the first stage has codes for each step (`TwoStageModel.code_form`), or
    latents: float32 (N, L), or spikes (T, N, C), of a model of one network.
    images: (N, C, H, W) uint8, or counts: (N, T, 2, H, W) int32 event counts with edges: (T + 1,) int64 microseconds.
    placement: keyword arguments of `event_tools.to_events`; seeds: (N,) int64, one per recording.
    """

    labels: NDArray[np.int64]
    codes: NDArray[np.int64] | None
    seeds: NDArray[np.int64]
    images: NDArray[np.uint8] | None = None
    counts: NDArray[np.int32] | None = None
    edges: NDArray[np.int64] | None = None
    placement: dict[str, Any] = dataclasses.field(default_factory=dict)
    latents: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def recordings(self) -> list[Events]:
        """Event recordings whose counts are exactly these; raises ValueError for a model of images."""
        if self.counts is None or self.edges is None:
            raise ValueError("expected samples of a model of recordings, got images; use .images")
        return [
            to_events(Frames(counts, self.edges), seed=int(seed), **self.placement)
            for counts, seed in zip(self.counts, self.seeds, strict=True)
        ]


class Model:
    """What all models are. Made by `neurogen.load`."""

    def __init__(self, stored: StoredModel) -> None:
        self.stored = stored
        self.device = torch.device("cpu")

    @property
    def config(self) -> Any:
        """Configuration of the first stage, or of the one network."""
        return self.stored.config

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.stored.data_info.classes

    @property
    def makes_recordings(self) -> bool:
        """Whether samples are event recordings (else images)."""
        return self.stored.config.makes_recordings

    @property
    def conditional(self) -> bool:
        """Whether samples can be asked for by label; otherwise their labels say nothing."""
        raise NotImplementedError

    @property
    def generates(self) -> bool:
        """Whether it can be sampled."""
        raise NotImplementedError

    @property
    def encodes(self) -> bool:
        """Whether it has an encoder, and so reconstructs."""
        raise NotImplementedError

    @property
    def item_axis(self) -> int:
        """Where the items of a batch stand in codes or latents."""
        raise NotImplementedError

    def to(self, device: str | torch.device) -> Self:
        """Move the networks; returns self."""
        self.device = torch.device(device)
        self.stored.network.to(self.device)
        if self.stored.prior is not None:
            self.stored.prior.to(self.device)
        return self

    def save(self, path: str | Path) -> Path:
        """Write a self-contained model folder."""
        stored = self.stored
        return save_model(
            path,
            config=stored.config,
            network=stored.network,
            scaling=stored.scaling,
            data_info=stored.data_info,
            prior_config=stored.prior_config,
            prior=stored.prior,
            card=stored.card,
            background=stored.background,
        )

    def encode(self, x: Tensor, together: bool = False) -> Tensor:
        """Codes or latents of images (N, C, H, W) in [-1, 1] or scaled recordings (N, T, 2, H, W)."""
        raise NotImplementedError

    def decode(self, codes: Tensor, together: bool = False) -> Tensor:
        """Images or scaled recordings of such codes or latents."""
        raise NotImplementedError

    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode what x encodes to; shapes as in `encode`."""
        return self.decode(self.encode(x))

    def sample(
        self,
        n: int,
        labels: Sequence[int] | NDArray[np.int64] | int | None = None,
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
        together: bool = False,
    ) -> Samples:
        """Draw n samples.

        labels: one for all, or (n,); None draws them from the training distribution. progress is called with the
        number of samples done. together: the processes that torchrun started (`training.distributed.processes`) draw a
        share each; all of them must call this, and all get all samples.
        Raises ValueError for a model that cannot be sampled and for labels it does not know.
        """
        raise NotImplementedError

    def items_first(self, codes: Tensor) -> Tensor:
        """Codes or latents with their items first, as (N, ...)."""
        return codes.movedim(self.item_axis, 0)

    def kept(self, codes: Tensor) -> dict[str, Any]:
        """Codes or latents as `Samples` has them."""
        raise NotImplementedError

    def finish(self, values: Tensor, codes: Tensor | None, labels: NDArray[np.int64], seed: int = 0) -> Samples:
        """Decoded values (model units) as 8-bit images or whole event counts; keyed by (seed, position).

        codes: codes or latents that they were decoded from, where these are wanted.
        """
        seeds = np.array([_recording_seed(seed, i) for i in range(len(labels))], dtype=np.int64)
        kept = {"codes": None} | ({} if codes is None else self.kept(codes))
        if not self.makes_recordings:
            images = ((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
            return Samples(labels=labels, seeds=seeds, images=images, **kept)
        info, options = self.stored.data_info, self.stored.config.recording
        scaling: Scaling | None = self.stored.scaling
        assert scaling is not None and info.edges is not None
        summed = scaling.fit == "sum"  # then whole counts are made at the model's size, and shared out at the sensor's
        expected = (scaling.expected if summed else scaling.undo)(values.numpy(), labels)  # (N, T, 2, H, W) counts
        counts = np.stack(
            [
                to_counts(
                    frame,
                    rounding=options.rounding,
                    dead_zone=options.dead_zone,
                    budget=round(info.event_counts[label]) if options.budget == "class" and info.event_counts else None,
                    seed=int(seed_i),
                )
                for frame, label, seed_i in zip(expected, labels, seeds, strict=True)
            ]
        )
        if summed:
            counts = np.stack([spread_counts(c, scaling.factor, int(s)) for c, s in zip(counts, seeds, strict=True)])
        if options.background and self.stored.background is not None:
            noise = self.stored.background
            counts = np.stack([noise.added_to(c, int(s)) for c, s in zip(counts, seeds, strict=True)])
        placement: dict[str, Any] = {"placement": options.placement, "refractory_us": options.refractory_us}
        placement["polarity"] = options.polarity
        if options.placement == "profile":
            placement["profile"] = RateCurve.from_dict(info.profile)
        edges = np.array(info.edges, np.int64)
        return Samples(labels=labels, seeds=seeds, counts=counts, edges=edges, placement=placement, **kept)

    def _streams(self, n: int, seed: int) -> list[np.random.Generator]:
        """A source of random numbers for each of n samples, and for those that fill the last batch up."""
        if not self.generates:
            raise ValueError(self._cannot_generate())
        if n < 1:
            raise ValueError(f"expected at least one sample, got {n}")
        if not 0 <= seed < 1 << 63:
            raise ValueError(f"expected a seed from 0 to 2^63 - 1, got {seed}")
        return [np.random.Generator(np.random.Philox(key=[seed, i])) for i in range(-(-n // CHUNK) * CHUNK)]

    def _cannot_generate(self) -> str:
        """Why not, in one sentence."""
        raise NotImplementedError

    def _draw_labels(self, uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
        counts = np.array(self.stored.data_info.label_counts, np.float64)
        cumulative = np.cumsum(counts) / counts.sum()
        return np.minimum(np.searchsorted(cumulative, uniforms, side="right"), len(counts) - 1).astype(np.int64)

    def _check_labels(self, labels: Sequence[int] | NDArray[np.int64] | int, n: int) -> NDArray[np.int64]:
        given = (
            np.broadcast_to(np.asarray(labels, np.int64), (n,))
            if np.ndim(labels) == 0
            else np.asarray(labels, np.int64)
        )
        if given.shape != (n,):
            raise ValueError(f"expected one label or {n} labels, got {len(given)}")
        if not self.conditional:
            raise ValueError("expected no labels, this model is unconditional; train one with model.classes")
        if given.min() < 0 or given.max() >= len(self.classes):
            raise ValueError(f"expected labels 0 to {len(self.classes) - 1}, got {given.min()} to {given.max()}")
        return given

    def _in_chunks(self, function: Callable[[Tensor], Tensor], parts: Sequence[Tensor], together: bool) -> list[Tensor]:
        chosen = own_parts(len(parts)) if together else range(len(parts))
        made = [function(parts[i].to(self.device)).cpu() for i in chosen]
        return all_parts(made, len(parts)) if together else made


def load(path: str | Path, device: str = "cpu") -> Model:
    """A model from its folder, from a finished run, or by the name it ships under ("mnist-tiny").

    A file or folder of that name in the working directory goes before what ships; anything with a separator is a path.
    Raises `ModelFolderError` (one sentence).
    """
    return model_of(load_model(path)).to(device)


def model_of(stored: StoredModel) -> Model:
    """The parts of a model folder as a user holds them."""
    from neurogen.latent_model import LatentModel
    from neurogen.models.tts_vqvae import TTSVQVAE
    from neurogen.two_stage_model import TwoStageModel

    return (TwoStageModel if isinstance(stored.network, TTSVQVAE) else LatentModel)(stored)


def _recording_seed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint32)[0])
