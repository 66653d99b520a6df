"""A first stage and, where there is one, its prior, as a user holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurogen.codebook import CodeForm
from neurogen.model import CHUNK, Model, Samples
from neurogen.processes import all_parts, own_parts


class TwoStageModel(Model):
    """Encoder, codebook and decoder, and a prior that draws codes."""

    @property
    def code_form(self) -> CodeForm:
        """What the codes of an item are; its `item_axis` is where the items of a batch stand."""
        return self.stored.network.code_form

    @property
    def conditional(self) -> bool:
        """Whether there is a prior that knows labels; otherwise the labels of samples say nothing."""
        return self.stored.prior_config is not None and self.stored.prior_config.model.classes > 0

    @property
    def generates(self) -> bool:
        """Whether there is a prior."""
        return self.stored.prior is not None

    @property
    def encodes(self) -> bool:
        """True: there is an encoder."""
        return True

    @property
    def item_axis(self) -> int:
        """Where the items of a batch stand in codes."""
        return self.code_form.item_axis

    @torch.inference_mode()
    def encode(self, x: Tensor, together: bool = False) -> Tensor:
        """Codes (`code_form`: int64 (N, h, w) unless each step has its own; bits are uint8) of images (N, C, H, W) in
        [-1, 1] or scaled recordings (N, T, 2, H, W); together: as in `sample`."""
        return self.code_form.joined(self._in_chunks(self.stored.network.encode, x.split(CHUNK), together))

    @torch.inference_mode()
    def decode(self, codes: Tensor, together: bool = False) -> Tensor:
        """Images (N, C, H, W) or scaled recordings (N, T, 2, H, W) of such codes; together: as in `sample`.

        Raises ValueError for codes of another shape and for those that the codebook does not have.
        """
        self.code_form.check(codes)
        parts = codes.split(CHUNK, self.code_form.item_axis)
        return torch.cat(self._in_chunks(self.stored.network.decode, parts, together))

    @torch.inference_mode()
    def sample(
        self,
        n: int,
        labels: Sequence[int] | NDArray[np.int64] | int | None = None,
        seed: int = 0,
        progress: Callable[[int], None] | None = None,
        together: bool = False,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        prefix: Tensor | None = None,
    ) -> Samples:
        """Draw n samples as `Model.sample` says.

        temperature, top_k, top_p: how freely codes are drawn; prefix: (n, P) first codes in the prior's order to
        complete (`SpikingPrior.sample` has its shape for every form).
        Raises ValueError for a model without a prior and for labels it does not know.
        """
        streams = self._streams(n, seed)
        drawn = self._draw_labels(np.array([stream.random() for stream in streams]))
        if labels is not None:
            drawn[:n] = self._check_labels(labels, n)
        prior, form = self.stored.prior, self.code_form
        assert prior is not None
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
            values.append(self.stored.network.decode(code).float().cpu())
            if progress is not None:
                progress(min(n, start + CHUNK))
        if together:
            codes, values = all_parts(codes, chunks), all_parts(values, chunks)
        return self.finish(torch.cat(values)[:n], form.joined(codes).narrow(form.item_axis, 0, n), drawn[:n], seed)

    def items_first(self, codes: Tensor) -> Tensor:
        """Codes as (N, *item_shape)."""
        return self.code_form.items_first(codes)

    def kept(self, codes: Tensor) -> dict[str, Any]:
        """Codes as `Samples` has them."""
        return {"codes": codes.cpu().numpy().astype(np.int64)}

    def _cannot_generate(self) -> str:
        return "expected a model with a prior, got a first stage alone; train one with first_stage=RUN"
