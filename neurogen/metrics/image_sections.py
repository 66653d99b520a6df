"""Sections of `neurogen evaluate` that compare images with real ones: autoencoder distance, Inception's figures."""

from __future__ import annotations

from typing import Any

from neurogen.metrics.autoencoder_distance import Mode
from neurogen.metrics.autoencoder_figures import DRAWS, AutoencoderDistance
from neurogen.metrics.evaluation import Evaluation
from neurogen.metrics.protocols import PAPER_COUNT
from neurogen.progress import bar

Figures = dict[str, Any]


def autoencoder_eval(evaluation: Evaluation) -> Figures:
    """Autoencoder distance with running statistics."""
    return _autoencoder(evaluation, "eval", evaluation.settings.protocol.reference)


def autoencoder_paper(evaluation: Evaluation) -> Figures:
    """Autoencoder distance as published; its reference is the test split by definition."""
    return _autoencoder(evaluation, "paper", "test")


def _autoencoder(evaluation: Evaluation, mode: Mode, split: str) -> Figures:
    """Of what is generated and, where a model encodes, of what comes back of all test and as many training items
    (rFAD)."""
    reference, seed = evaluation.reference, evaluation.settings.seed
    distance = AutoencoderDistance(evaluation.extractor, mode, reference.images(split))
    figures: Figures = {}
    if evaluation.generates:
        figures["generated"] = distance.of(evaluation.images, seed)
        count = len(evaluation.images)
    else:
        count = evaluation.settings.count or evaluation.default_count
    if evaluation.encodes:
        for part in ("test", "train"):
            rebuilt = evaluation.rebuilt(part).images
            assert rebuilt is not None
            figures[f"reconstructed_{part}"] = distance.of(rebuilt, seed)
    with bar(f"floor, {mode}", DRAWS) as progress:
        figures |= distance.floor(reference.images("train"), count, seed, progress)
    return figures | {
        "count": PAPER_COUNT if mode == "paper" else count,
        "reference": split,
        "resize": "32x32, PIL bilinear",
        "extractor": evaluation.extractor.source,
        "reference_moments": "published" if distance.published else f"computed, {distance.reference.count} images",
    }


def inception(evaluation: Evaluation) -> Figures:
    """FID, IS, KID and PRC through torch-fidelity."""
    from neurogen.metrics.fidelity import fidelity

    settings, images = evaluation.settings, evaluation.images
    reference = evaluation.reference.images(settings.protocol.reference)
    with bar("Inception", len(images) + len(reference)) as progress:
        return fidelity(
            images,
            reference,
            settings.inception,
            protocol=settings.protocol.name,
            split=settings.protocol.reference,
            seed=settings.seed,
            device=settings.device,
            progress=progress,
        )
