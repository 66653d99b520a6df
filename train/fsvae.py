"""Train a Fully Spiking VAE.

    python train/fsvae.py fsvae/fashion-small --out runs/mine [--resume]

What it learns from a batch stands in neurogen/models/fsvae.py; one step in neurogen/training/autoencoder.py.
"""

from __future__ import annotations

import sys

from neurogen.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
