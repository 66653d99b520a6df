"""Train the spiking autoencoder.

    python train/sae.py sae/mnist-repaired --out runs/mine [--resume]

How one batch is learnt from stands in neurogen/training/autoencoder.py, the network in neurogen/models/sae.py.
"""

from __future__ import annotations

import sys

from neurogen.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
