"""Train FSVAE's twin without spikes.

    python train/vae.py vae/fashion-small --out runs/mine [--resume]

How one batch is learnt from stands in neurogen/training/autoencoder.py and `VAE.training_losses`; the loop around it in
neurogen/training/engine.py.
"""

from __future__ import annotations

import sys

from neurogen.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
