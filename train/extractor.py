"""Train our own extractor of the autoencoder Frechet distance (neurogen/metrics/extractor.py), on one core.

    python -m train.extractor mnist --data PATH --out neurogen/pretrained/mnist-extractor

The published network and loss: 32x32 images in [-1, 1], squared error through a tanh decoder, AdamW; ours runs for two
epochs instead of 150, so that its learning rate rises to 2e-3 and falls along a cosine. The decoder is thrown away;
weights are stored in float16, and the folder is read back before distances are measured.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurogen.metrics.autoencoder_distance import WIDTHS, AutoencoderFeatures, autoencoder_features, resized
from neurogen.metrics.extractor import DATASETS, load_extractor
from neurogen.metrics.fitting import rate
from neurogen.metrics.frechet import frechet_distance, moments
from neurogen.metrics.weights_folder import write_card, write_weights
from neurogen.model_card import DATA_LICENCES
from neurogen.progress import bar
from train.classifier import HELD_OUT, NAMES, asked
from train.hardware import cpu_name

EPOCHS = 2
BATCH = 128
PEAK = 2e-3  # learning rate
WIDTH = 64  # of the features


class Decoder(nn.Module):
    """Features (M, 64) -> images (M, 1, 32, 32) in [-1, 1]: the encoder's steps in reverse."""

    def __init__(self, channels: int = 1, width: int = WIDTH) -> None:
        super().__init__()
        self.start = nn.Linear(width, WIDTHS[-1] * 4)
        self.steps = nn.Sequential(
            *(
                nn.Sequential(nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1), nn.BatchNorm2d(b), nn.LeakyReLU())
                for a, b in pairwise(reversed(WIDTHS))
            )
        )
        self.image = nn.ConvTranspose2d(WIDTHS[0], channels, 3, 2, 1, output_padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return self.image(self.steps(self.start(features).unflatten(1, (WIDTHS[-1], 2, 2)))).tanh()


def main() -> None:
    options, splits = asked(__doc__, DATASETS)
    train, validation, test = (images for images, _ in splits)
    started = time.perf_counter()
    network, error = trained(train, validation, options.seed)
    seconds = time.perf_counter() - started
    measured = {"validation_error": error}
    stored = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in network.state_dict().items()}
    description = {"dataset": options.dataset, "channels": 1, "width": WIDTH, "measured": measured}
    folder = write_weights(options.out, "extractor", description, stored)
    floors = {mode: distance(folder, validation, test, mode) for mode in ("eval", "paper")}
    facts = {
        "figures": f"squared error of held-out images {error:.4f} in [-1, 1] units; distance of {len(validation):,} "
        f"held-out training images from the test: {floors['eval']:.2f} eval mode, {floors['paper']:.2f} paper mode",
        "command": f"`python -m train.extractor {options.dataset} --data PATH --out FOLDER`, seed {options.seed}",
        "data": f"{NAMES[options.dataset]}, {len(train):,} training images, {HELD_OUT[options.dataset]:,} of the "
        f"training part held out",
        "training": f"{EPOCHS} epochs in batches of {BATCH}",
        "wall time": f"{seconds:.0f} s on one core of a CPU shared with other work ({cpu_name()})",
        "torch": torch.__version__,
        "data licence": DATA_LICENCES[options.dataset],
        "code licence": "Apache-2.0",
    }
    about = [
        f"A convolutional autoencoder's encoder, trained on {NAMES[options.dataset]}: the features of the autoencoder "
        "Frechet distance in `neurogen evaluate`.",
        "Images 32x32 in [-1, 1], 64 features; the published network with our own weights, so that distances do not "
        "compare with those of the published weights. neurogen/metrics/extractor.py.",
    ]
    write_card(folder, f"{options.dataset}-extractor", about, facts)
    print({"folder": str(folder), "seconds": round(seconds), **measured, **floors})


def trained(images: NDArray[np.uint8], validation: NDArray[np.uint8], seed: int) -> tuple[AutoencoderFeatures, float]:
    """The encoder after its epochs, and the autoencoder's mean squared error of the validation images, in eval mode."""
    torch.manual_seed(seed)
    encoder, decoder = AutoencoderFeatures(1, WIDTH), Decoder()
    network = nn.Sequential(encoder, decoder).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), PEAK)
    small, draws = resized(images), torch.Generator().manual_seed(seed)
    steps = len(small) // BATCH
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, EPOCHS * steps))
    with bar("training the extractor", EPOCHS * steps) as progress:
        for epoch in range(EPOCHS):
            order = torch.randperm(len(small), generator=draws).numpy()
            for step in range(steps):
                x = as_input(small[order[step * BATCH : (step + 1) * BATCH]])
                loss = nn.functional.mse_loss(network(x), x)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                progress(epoch * steps + step + 1)
    network.eval()
    with torch.no_grad():
        parts = [as_input(part) for part in np.array_split(resized(validation), max(1, len(validation) // BATCH))]
        errors = torch.cat([(network(x) - x).square().mean((1, 2, 3)) for x in parts])
    return encoder, float(errors.mean())


def as_input(images: NDArray[np.uint8]) -> Tensor:
    """(M, C, 32, 32) float32 in [-1, 1]."""
    return torch.from_numpy(images.astype(np.float32) / 127.5 - 1)


def distance(folder: Path, images: NDArray[np.uint8], test: NDArray[np.uint8], mode: str) -> float:
    """The autoencoder Frechet distance of held-out images from the test ones, by the weights as stored."""
    network = load_extractor(folder)
    features = [autoencoder_features(network, each, mode) for each in (images, test)]
    return frechet_distance(*(moments(each) for each in features))


if __name__ == "__main__":
    main()
