"""One network, as a user holds it: FSVAE, VAE, the generator of a GAN, SAE."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurogen.model import CHUNK, Model, Samples
from neurogen.models.latent_network import LatentNetwork
from neurogen.processes import all_parts, own_parts


class LatentModel(Model):
    """A `LatentNetwork`: latents are spikes (T, N, C) or vectors (N, L)."""

    @property
    def network(self) -> LatentNetwork:
        """The network."""
        return self.stored.network

    @property
    def conditional(self) -> bool:
        """Whether it knows labels."""
        return self.network.classes > 0

    @property
    def generates(self) -> bool:
        """Whether it can be sampled: all but an autoencoder whose density of latents was never fitted."""
        return self.network.generates

    @property
    def encodes(self) -> bool:
        """Whether it has an encoder: all but generators of GANs."""
        return self.network.encodes

    @property
    def item_axis(self) -> int:
        """Where the items of a batch stand in latents: 1 for spikes, 0 for vectors."""
        return self.network.item_axis

    @torch.inference_mode()
    def encode(self, x: Tensor, together: bool = False, seed: int = 0) -> Tensor:
        """Latents of images (N, C, H, W) in [-1, 1] or scaled recordings (N, T, 2, H, W).

        Where they are drawn from a posterior, those of item i are a function of (seed, i). together: as in `sample`.
        Raises ValueError for a model without an encoder.
        """
        if not self.encodes:
            raise ValueError(
                f"expected a model with an encoder, got the generator of {self.config.system}, which has none; "
                "sample it"
            )
        parts = list(x.split(CHUNK))
        chosen = own_parts(len(parts)) if together else range(len(parts))
        made = []
        for k in chosen:
            uniforms = self.encoding_uniforms(range(k * CHUNK, k * CHUNK + len(parts[k])), seed).to(self.device)
            made.append(self.network.encode(parts[k].to(self.device), uniforms).cpu())
        return torch.cat(all_parts(made, len(parts)) if together else made, self.item_axis)

    def encoding_uniforms(self, items: range, seed: int = 0) -> Tensor:
        """(len(items), encoding_draws) float64: what `encode` draws the latents of these items by."""
        draws = [self._stream(seed, item).random(self.network.encoding_draws) for item in items]
        return torch.from_numpy(np.stack(draws))

    @torch.inference_mode()
    def decode(self, latents: Tensor, together: bool = False, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) or scaled recordings (N, T, 2, H, W) of latents; together: as in `sample`.

        labels: (N,) int64, where the network decodes by label. Raises ValueError for latents of another shape.
        """
        parts = latents.split(CHUNK, self.item_axis)
        given = [None] * len(parts) if labels is None else [part.to(self.device) for part in labels.split(CHUNK)]
        chosen = own_parts(len(parts)) if together else range(len(parts))
        made = [self.network.decode(parts[k].to(self.device), given[k]).float().cpu() for k in chosen]
        return torch.cat(all_parts(made, len(parts)) if together else made)

    @torch.inference_mode()
    def sample(
        self,
        n: int,
        labels: Sequence[int] | NDArray[np.int64] | int | None = None,
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
        together: bool = False,
    ) -> Samples:
        """Draw n samples; arguments and errors as in `Model.sample`."""
        streams = self._streams(n, seed)
        drawn = self._draw_labels(np.array([stream.random() for stream in streams]))
        if labels is not None:
            drawn[:n] = self._check_labels(labels, n)
        latents, values, chunks = [], [], -(-n // CHUNK)
        for start in (CHUNK * part for part in (own_parts(chunks) if together else range(chunks))):
            chunk = slice(start, start + CHUNK)
            uniforms = torch.from_numpy(np.stack([stream.random(self.network.draws) for stream in streams[chunk]]))
            label = torch.from_numpy(drawn[chunk]).to(self.device) if self.conditional else None
            latent = self.network.draw(uniforms.to(self.device), label)
            latents.append(latent.cpu())
            values.append(self.network.decode(latent, label).float().cpu())
            if progress is not None:
                progress(min(n, start + CHUNK))
        if together:
            latents, values = all_parts(latents, chunks), all_parts(values, chunks)
        joined = torch.cat(latents, self.item_axis).narrow(self.item_axis, 0, n)
        return self.finish(torch.cat(values)[:n], joined, drawn[:n], seed)

    @torch.inference_mode()
    def stream(
        self, n: int = 1, labels: Sequence[int] | NDArray[np.int64] | int | None = None, seed: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The samples of `sample(n, labels, seed)` as they come about: for each of the T steps the latents (n, C) of
        the step, and the images (n, C, H, W) so far in [-1, 1]; n up to CHUNK.

        Raises ValueError for a model whose latents have no steps.
        """
        if n > CHUNK:
            raise ValueError(f"expected up to {CHUNK} samples to stream, got {n}; ask for fewer")
        streams = self._streams(n, seed)
        drawn = self._draw_labels(np.array([stream.random() for stream in streams]))
        if labels is not None:
            drawn[:n] = self._check_labels(labels, n)
        uniforms = torch.from_numpy(np.stack([stream.random(self.network.draws) for stream in streams]))
        label = torch.from_numpy(drawn).to(self.device) if self.conditional else None
        for latent, values in self.network.stream(uniforms.to(self.device), label):
            yield latent[:n].cpu(), values[:n].float().cpu()

    def kept(self, codes: Tensor) -> dict[str, Any]:
        """Latents as `Samples` has them."""
        return {"latents": codes.float().cpu().numpy()}

    def _cannot_generate(self) -> str:
        return "expected a model whose latents have a density, got one that was never settled; finish its training run"

    @staticmethod
    def _stream(seed: int, item: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=[seed, item]))
