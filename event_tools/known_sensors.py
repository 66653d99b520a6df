"""Sensors of well-known data sets, for files that do not say: by the name of the set's folder or archive.

Sources: the sets' own pages and papers. N-MNIST and N-Caltech101 (Orchard et al. 2015): windows of an ATIS, 34x34
and up to 240x180; N-CARS (Sironi et al. 2018): windows up to 120x100; CIFAR10-DVS (Li et al. 2017), DVS Gesture (Amir
et al. 2017), MNIST-DVS (Serrano-Gotarredona et al. 2015), DVS-Lip (Tan et al. 2022): a DVS128 or 128x128; ASL-DVS (Bi
et al. 2019): a DAVIS240C; ST-MNIST (See et al. 2020): 10x10 taxels; SHD, SSC (Cramer et al. 2020): 700 channels;
N-TIDIGITS (Anumula et al. 2018): 64 channels; DSEC (Gehrig et al. 2021): 640x480.
A wrong guess is no danger: an event outside the sensor is an error.
"""

from __future__ import annotations

import re
from pathlib import Path

SENSORS = {
    "nmnist": (34, 34),
    "ncaltech101": (240, 180),
    "ncars": (120, 100),
    "cifar10dvs": (128, 128),
    "dvscifar10": (128, 128),
    "dvsgesture": (128, 128),
    "dvs128gesture": (128, 128),
    "mnistdvs": (128, 128),
    "dvslip": (128, 128),
    "asldvs": (240, 180),
    "stmnist": (10, 10),
    "shd": (700, 1),
    "ssc": (700, 1),
    "ntidigits": (64, 1),
    "dsec": (640, 480),
}
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
PLAIN = re.compile(r"[^a-z0-9]")
TAIL = re.compile(r"(train|test|dataset|v?[0-9]{3,})$")


def known_sensor(path: Path, below: str = "") -> tuple[int, int] | None:
    """(width, height) by the name of a folder or archive, of the folder around it, or of the first one inside."""
    here = path.absolute()
    for name in (here.name, here.parent.name, below.partition("/")[0]):
        plain = name.lower()
        for suffix in ARCHIVES:
            plain = plain.removesuffix(suffix)
        plain = PLAIN.sub("", plain)
        while plain and plain not in SENSORS and (shorter := TAIL.sub("", plain)) != plain:
            plain = shorter
        if plain in SENSORS:
            return SENSORS[plain]
    return None
