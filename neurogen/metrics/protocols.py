"""Who is measured against what: the published protocols and ours, as settings.

standard  ours: test split, autoencoder distance in both modes, floors beside
fsvae     arXiv 2110.00375 and its successors: test split, 5,120 samples, reconstruction loss in [-1, 1] units
tts       arXiv 2405.14474 says only which metrics it took; its counts and training reference are the usual ones
"""

from __future__ import annotations

from dataclasses import dataclass

PAPER_COUNT = 5_120  # images of the published autoencoder distance: 20 batches of 256


@dataclass(frozen=True)
class Protocol:
    """reference: the split that generated data are compared with; images, recordings: how many are generated where
    nobody says; metrics: the sections that run where nobody says, () for all that fit."""

    name: str
    reference: str
    images: int
    recordings: int
    metrics: tuple[str, ...] = ()


PROTOCOLS: dict[str, Protocol] = {
    "standard": Protocol("standard", "test", PAPER_COUNT, 1_000),
    "fsvae": Protocol("fsvae", "test", PAPER_COUNT, 1_000, ("fad-paper", "fid", "reconstruction")),
    "tts": Protocol("tts", "train", 50_000, 10_000, ("fid", "realism", "reconstruction")),
}
