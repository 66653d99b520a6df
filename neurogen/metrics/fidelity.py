"""FID, IS, KID and PRC with the Inception network, by torch-fidelity and as two published evaluations have them.

    standard  torch-fidelity's FID, IS, KID and PRC
    tts       the same, but FID as pytorch-fid has it, against the training split (README of arXiv 2405.14474)
    fsvae     FID as clean-fid has it, of 5,000 generated images against the test split, and FSVAE's own Inception score
              (arXiv 2110.00375)

FID: Heusel et al. 2017; IS: Salimans et al. 2016; KID: Binkowski et al. 2018; precision and recall: Kynkaanniemi et al.
2019, with k = 3. The formulas of the first two protocols are torch-fidelity's own functions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neurogen.metrics.errors import MetricError
from neurogen.metrics.frechet import frechet_distance, moments
from neurogen.metrics.fsvae_score import fsvae_score
from neurogen.metrics.inception import (
    FILE,
    Inception,
    InceptionFeatures,
    Resize,
    check_images,
    inception_features,
    load_inception,
)

Protocol = Literal["standard", "fsvae", "tts"]
Figures = dict[str, float | int | str]

SEED = 2020  # torch-fidelity's
SPLITS = 10  # of the Inception score
SUBSETS, SUBSET = 100, 1000  # of KID
NEIGHBOUR = 3  # of PRC
WIDTH = 2048  # of the features of FID
FSVAE_COUNT = 5000  # generated images in FSVAE's FID
RESIZE: dict[str, Resize] = {"standard": "tensorflow", "fsvae": "clean", "tts": "pytorch"}
FILTERS = {
    "tensorflow": "bilinear to 299x299 with TensorFlow 1's corners, no antialiasing (torch-fidelity)",
    "clean": "PIL bicubic on floats to 299x299, each channel alone, cut to 0..255 (clean-fid)",
    "pytorch": "bilinear to 299x299 with half-pixel centres, no antialiasing (pytorch-fid)",
}


def fidelity(
    generated: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    weights: str | Path | None = None,
    *,
    protocol: Protocol = "standard",
    split: str,
    subset: int = SUBSET,
    seed: int = SEED,
    score_weights: str | Path | None = None,
    device: str = "cpu",
    progress: Callable[[int], None] = lambda _: None,
) -> Figures:
    """Figures of generated against reference images, each (N, 1 or 3, H, W) uint8, with all that makes them comparable.

    weights: the Inception file, None for torch's hub folder. split: what the reference is, for the record. subset:
    images in each of KID's subsets. seed: of KID's subsets and the order of IS. score_weights: torchvision's Inception
    for FSVAE's score, None for torch's hub folder; where it is not there, the notes say so. progress is called with
    the number of images that have passed a network.
    Raises MetricError for too few images, for missing or other weights, and where torch-fidelity is missing.
    """
    for images in (generated, reference):
        check_images(images)
    if not 0 <= seed < 1 << 32:
        raise MetricError(f"expected a seed from 0 to 2^32 - 1 for torch-fidelity, got {seed}; take a smaller one")
    _check_counts(len(generated), len(reference), protocol, subset)
    inception = load_inception(weights, device)
    if protocol == "fsvae":
        generated = generated[:FSVAE_COUNT]
    notes = _notes(inception, generated, reference, protocol)
    passed = 0

    def features(images: NDArray[np.uint8], resize: Resize) -> InceptionFeatures:
        nonlocal passed
        start, passed = passed, passed + len(images)
        return inception_features(inception, images, resize, lambda done: progress(start + done))

    figures: Figures = {}
    if protocol != "fsvae":
        figures = _torch_fidelity(features(generated, "tensorflow"), features(reference, "tensorflow"), subset, seed)
    if protocol != "standard":
        made, real = (features(images, RESIZE[protocol]).pooled.numpy() for images in (generated, reference))
        figures["fid"] = frechet_distance(moments(made), moments(real))
    if protocol == "fsvae":
        try:
            score = fsvae_score(generated, score_weights, device, lambda done: progress(passed + done))
            figures |= {"fsvae_inception_score": score[0], "fsvae_inception_score_std": score[1]}
        except MetricError as error:
            if score_weights is not None:
                raise
            notes.append(f"FSVAE's Inception score is not computed: {error}")
    return figures | {
        "protocol": protocol,
        "reference": split,
        "count": len(generated),
        "references": len(reference),
        "resize": FILTERS[RESIZE[protocol]],
        "seed": seed,
        "weights": inception.file,
        "weights_sha256": inception.sha256,
        "notes": "; ".join(notes),
    }


def _torch_fidelity(made: InceptionFeatures, real: InceptionFeatures, subset: int, seed: int) -> Figures:
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    statistics = (fid_features_to_statistics(features.pooled) for features in (made, real))
    fid = fid_statistics_to_metric(*statistics, verbose=False)
    score = isc_features_to_metric(made.logits, splits=SPLITS, shuffle=True, rng_seed=seed)
    pooled = made.pooled, real.pooled
    kid = kid_features_to_metric(*pooled, kid_subsets=SUBSETS, kid_subset_size=subset, rng_seed=seed, verbose=False)
    # save_cpu_ram: slabs of distances, else 50,000 images against 60,000 would hold 32 GB of them.
    overlap = prc_features_to_metric(*pooled, prc_neighborhood=NEIGHBOUR, save_cpu_ram=True, verbose=False)
    return {
        "fid": fid["frechet_inception_distance"],
        "inception_score": score["inception_score_mean"],
        "inception_score_std": score["inception_score_std"],
        "kid": kid["kernel_inception_distance_mean"],
        "kid_std": kid["kernel_inception_distance_std"],
        "precision": overlap["precision"],
        "recall": overlap["recall"],
        "kid_subsets": SUBSETS,
        "kid_subset": subset,
    }


def _check_counts(generated: int, reference: int, protocol: Protocol, subset: int) -> None:
    if protocol == "fsvae":
        if generated < FSVAE_COUNT or reference < 2:
            raise MetricError(
                f"expected {FSVAE_COUNT} generated images for FSVAE's FID and 2 references or more, got {generated} "
                f"and {reference}; raise --count or take --protocol standard"
            )
        return
    needed = {"KID's subsets": subset, "PRC's neighbours": NEIGHBOUR + 1, "the Inception score's splits": SPLITS}
    for what, least in needed.items():
        if min(generated, reference) < least:
            raise MetricError(
                f"expected {least} images or more of each kind for {what}, got {generated} generated and {reference} "
                "references; raise --count"
            )


def _notes(
    inception: Inception, generated: NDArray[np.uint8], reference: NDArray[np.uint8], protocol: Protocol
) -> list[str]:
    """What a reader must know before comparing with the published run."""
    notes = []
    sizes = ["x".join(map(str, images.shape[:1:-1])) for images in (generated, reference)]
    if sizes[0] != sizes[1]:
        notes.append(f"generated images have {sizes[0]} pixels, references {sizes[1]}")
    if protocol == "fsvae":
        notes.append(
            "generated images are rounded to 8 bits (published: not); whether the published reference had 28x28 or "
            "32x32 pixels is not known; the first releases of clean-fid did not cut off bicubic overshoot"
        )
    else:
        notes.append("precision and recall in Inception's features (torch-fidelity's own default is VGG-16's)")
    if protocol == "tts":
        notes.append("the published run states neither its number of samples nor its reference split")
    if min(len(generated), len(reference)) <= WIDTH:
        notes.append(f"FID of {WIDTH} images or fewer has a singular covariance and is biased upwards")
    if not inception.official:
        notes.append(f"the weights are not {FILE}: comparable with figures of the same weights only")
    return notes
