"""Train a spiking GAN: SGAN, SWGAN or SGAD.

    python train/gan.py sgad/mnist-small --out runs/mine [--resume]

How one batch is learnt from stands in neurogen/training/gan.py, the networks in neurogen/models/gan.py and
discriminators.py, the losses in neurogen/losses/gan.py.
"""

from __future__ import annotations

import sys

from neurogen.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
