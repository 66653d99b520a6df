"""Train the first stage: encoder, temporal codebook and decoder.

    python train/stage1.py tts_vqvae/digits --out runs/mine [--resume]

How one batch is learnt from stands in neurogen/training/stage1.py; the loop around it in neurogen/training/engine.py.
"""

from __future__ import annotations

import sys

from neurogen.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
