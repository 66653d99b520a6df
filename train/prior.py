"""Train the prior over the codes of a trained first stage.

    python train/prior.py prior/digits first_stage=runs/digits --out runs/mine [--resume]

How one batch is learnt from stands in neurogen/training/prior.py; the loop around it in neurogen/training/engine.py.
"""

from __future__ import annotations

import sys

from neurogen.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
