"""A trained model as a user holds it: sample, encode, decode, reconstruct, save.

Every random number of sample i is a pure function of (seed, i) and batches have one fixed size, so that the first
ten of a hundred samples are the ten samples asked for alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from event_tools import Events, Frames, to_events
from event_tools.counts import spread_counts, to_counts
from event_tools.profile import RateCurve
from neurogen.codebook import CodeForm
from neurogen.data.scaling import Scaling
from neurogen.model_folder import StoredModel, load_model, save_model
from neurogen.processes import all_parts, own_parts

CHUNK = 32  # samples per batch, always: a batch of another size may round differently


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """What a model made.

    labels: (N,) int64, drawn by chance and without meaning where the prior is unconditional; codes: int64 (N, h, w),
    or (T, N, h, w) or (T, N, m, h, w) where the first stage has codes for each step (`Model.code_form`);
    images: (N, C, H, W) uint8, or counts: (N, T, 2, H, W) int32 event counts with edges: (T + 1,) int64 microseconds.
    placement: keyword arguments of `event_tools.to_events`; seeds: (N,) int64, one per recording.
    """

    labels: NDArray[np.int64]
    codes: NDArray[np.int64]
    seeds: NDArray[np.int64]
    images: NDArray[np.uint8] | None = None
    counts: NDArray[np.int32] | None = None
    edges: NDArray[np.int64] | None = None
    placement: dict[str, Any] = dataclasses.field(default_factory=dict)

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
    """A first stage and, where there is one, its prior. Made by `neurogen.load`."""

    def __init__(self, stored: StoredModel) -> None:
        self.stored = stored
        self.device = torch.device("cpu")

    @property
    def config(self) -> Any:
        """Configuration of the first stage."""
        return self.stored.stage1

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.stored.data_info.classes

    @property
    def makes_recordings(self) -> bool:
        """Whether samples are event recordings (else images)."""
        return self.stored.stage1.model.coding == "event"

    @property
    def code_form(self) -> CodeForm:
        """What the codes of an item are; its `item_axis` is where the items of a batch stand."""
        return self.stored.first_stage.code_form

    @property
    def conditional(self) -> bool:
        """Whether there is a prior that knows labels; otherwise the labels of samples say nothing."""
        return self.stored.prior_config is not None and self.stored.prior_config.model.classes > 0

    def to(self, device: str | torch.device) -> Model:
        """Move both stages; returns self."""
        self.device = torch.device(device)
        self.stored.first_stage.to(self.device)
        if self.stored.prior is not None:
            self.stored.prior.to(self.device)
        return self

    def save(self, path: str | Path) -> Path:
        """Write a self-contained model folder."""
        stored = self.stored
        return save_model(
            path,
            stage1=stored.stage1,
            first_stage=stored.first_stage,
            scaling=stored.scaling,
            data_info=stored.data_info,
            prior_config=stored.prior_config,
            prior=stored.prior,
            card=stored.card,
            background=stored.background,
        )

    @torch.inference_mode()
    def encode(self, x: Tensor, together: bool = False) -> Tensor:
        """Codes (`code_form`: int64 (N, h, w) unless each step has its own; bits are uint8) of images (N, C, H, W) in
        [-1, 1] or scaled recordings (N, T, 2, H, W); together: as in `sample`."""
        return self.code_form.joined(self._in_chunks(self.stored.first_stage.encode, x.split(CHUNK), together))

    @torch.inference_mode()
    def decode(self, codes: Tensor, together: bool = False) -> Tensor:
        """Images (N, C, H, W) or scaled recordings (N, T, 2, H, W) of such codes; together: as in `sample`.

        Raises ValueError for codes of another shape and for those that the codebook does not have.
        """
        self.code_form.check(codes)
        parts = codes.split(CHUNK, self.code_form.item_axis)
        return torch.cat(self._in_chunks(self.stored.first_stage.decode, parts, together))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode the codes of x; shapes as in `encode`."""
        return self.decode(self.encode(x))

    @torch.inference_mode()
    def sample(
        self,
        n: int,
        labels: Sequence[int] | NDArray[np.int64] | int | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        prefix: Tensor | None = None,
        progress: Callable[[int], None] | None = None,
        together: bool = False,
    ) -> Samples:
        """Draw n samples.

        labels: one for all, or (n,); None draws them from the training distribution. prefix: (n, P) first codes in
        the prior's order to complete (`SpikingPrior.sample` has its shape for every form). progress is called with the
        number of samples done. together: the processes that torchrun started (`training.distributed.processes`) draw a
        share each; all of them must call this, and all get all samples.
        Raises ValueError for a model without a prior and for labels it does not know.
        """
        if self.stored.prior is None:
            raise ValueError("expected a model with a prior, got a first stage alone; train one with first_stage=RUN")
        if n < 1:
            raise ValueError(f"expected at least one sample, got {n}")
        if not 0 <= seed < 1 << 63:
            raise ValueError(f"expected a seed from 0 to 2^63 - 1, got {seed}")
        streams = [np.random.Generator(np.random.Philox(key=[seed, i])) for i in range(-(-n // CHUNK) * CHUNK)]
        drawn = self._draw_labels(np.array([stream.random() for stream in streams]))
        if labels is not None:
            drawn[:n] = self._check_labels(labels, n)
        prior, form = self.stored.prior, self.code_form
        uniforms = torch.from_numpy(np.stack([stream.random(prior.order.uniforms) for stream in streams]))
        if prefix is not None:
            prior.check_prefix(prefix, n)
        given = None if prefix is None else torch.cat([prefix, prefix[-1:].expand(len(streams) - n, *prefix.shape[1:])])
        codes, values, chunks = [], [], -(-n // CHUNK)
        for start in (CHUNK * part for part in (own_parts(chunks) if together else range(chunks))):
            chunk = slice(start, start + CHUNK)
            label = torch.from_numpy(drawn[chunk]).to(self.device) if self.conditional else None
            items = prior.sample(
                uniforms[chunk],
                label,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                prefix=None if given is None else given[chunk].to(self.device),
            )
            code = form.as_codes(items)
            codes.append(code.cpu())
            values.append(self.stored.first_stage.decode(code).float().cpu())
            if progress is not None:
                progress(min(n, start + CHUNK))
        if together:
            codes, values = all_parts(codes, chunks), all_parts(values, chunks)
        return self.finish(torch.cat(values)[:n], form.joined(codes).narrow(form.item_axis, 0, n), drawn[:n], seed)

    def finish(self, values: Tensor, codes: Tensor, labels: NDArray[np.int64], seed: int = 0) -> Samples:
        """Decoded values (model units) as 8-bit images or whole event counts; keyed by (seed, position)."""
        seeds = np.array([_recording_seed(seed, i) for i in range(len(labels))], dtype=np.int64)
        code_array = codes.cpu().numpy().astype(np.int64)
        if not self.makes_recordings:
            images = ((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
            return Samples(labels, code_array, seeds, images=images)
        info, options = self.stored.data_info, self.stored.stage1.recording
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
        return Samples(
            labels, code_array, seeds, counts=counts, edges=np.array(info.edges, np.int64), placement=placement
        )

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
            raise ValueError("expected no labels, this prior is unconditional; train one with model.classes")
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
    return Model(load_model(path)).to(device)


def _recording_seed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint32)[0])
