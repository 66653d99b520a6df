"""Parameters by part, as plain integers."""

from __future__ import annotations

from torch import nn

from neurogen.codebook import SpikeCodebook, TableCodebook
from neurogen.models.latent_network import LatentNetwork


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """{"encoder", "decoder", "codebook", "prior", "total"}; parts a model does not have count 0.

    A `LatentNetwork` has the parts that its direct children are, in place of these.
    The codebook's table counts however it learns; spike codes have none. The two 1x1 convolutions around it count in
    the total only.
    """
    if isinstance(model, LatentNetwork):
        parts = {name: _parameters(child) for name, child in model.named_children()}
        return {name: count for name, count in parts.items() if count} | {"total": _parameters(model)}
    counts = {"encoder": 0, "decoder": 0, "codebook": 0, "prior": 0, "total": _parameters(model)}
    codebook = getattr(model, "codebook", None)
    if not isinstance(codebook, (TableCodebook, SpikeCodebook)):
        counts["prior"] = counts["total"]
        return counts
    counts["encoder"], counts["decoder"] = _parameters(model.encoder), _parameters(model.decoder)
    if isinstance(codebook, TableCodebook):
        counts["codebook"] = codebook.table.numel()
        if codebook.config.learning == "ema":
            counts["total"] += counts["codebook"]
    return counts


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
