"""Simulated stand-ins for data sets that were recorded from pictures on a monitor: sensor, motion, names of files.

nmnist       34x34, three saccades of 102 ms; Train/<label>/<n>.bin (Orchard et al. 2015); path, camera and polarity
             were searched for, so that counts come near real recordings of the same digits; how near they are is what
             benchmarks/simulated_nmnist.py prints
dvs_cifar10  CIFAR10-DVS (Li et al. 2017, doi 10.3389/fnins.2017.00309): a DVS128 before a monitor on which a CIFAR-10
             image, enlarged to 512x512, moves repeatedly along one closed smooth path of four sides, six times round;
             <label>/cifar10_<label>_<n>.aedat

Published of CIFAR10-DVS and kept: 128x128 pixels; a repeated, closed, smooth movement; 1.15 to 1.46 s a recording
(SpikingJelly's issue 122), 1.298 s and 205,071 events in the mean of all 10,000 (counted by jackd's event-stream
tools). So the length is drawn from the triangular distribution with these ends and that mean, and the threshold is set
for about that many events. Four sides and six rounds are the paper's as told to us; we could read its abstract alone.
Ours: the path's size (a square on its tip, 6 pixels from centre to corner), constant speed, an image that fills the
sensor, whose border's colours go on around it. The monitor's refresh, which gives real recordings a line at 60 Hz, is
left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.simulator import Camera, Saccades, simulate

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LENGTH_KEY = 1  # of the stream that draws a recording's length, apart from the one of `simulate`


@dataclass(frozen=True)
class Preset:
    """How a set is simulated. sensor_size, shown_size: (width, height); lengths_us: shortest, mode and longest of the
    triangular distribution of durations, None where all last as long; classes: what labels 0, 1, ... are called where
    the pictures do not say; name: of a file, from its label and its number in the class or, `counted_whole`, in all;
    surround: see `simulate`; negative: whether dark and bright are exchanged before."""

    sensor_size: tuple[int, int]
    suffix: str
    name: str
    camera: Camera = field(default_factory=Camera)
    motion: Saccades = field(default_factory=Saccades)
    shown_size: tuple[int, int] | None = None
    lengths_us: tuple[int, int, int] | None = None
    classes: tuple[str, ...] = ()
    counted_whole: bool = False
    surround: str = "black"
    negative: bool = False

    def recording(self, image: NDArray[np.floating], seed: int) -> Events:
        """The recording of an image (H, W) in [0, 1]; seed fixes all that is drawn. Raises ValueError."""
        motion = self.motion
        if self.lengths_us is not None:
            length = np.random.Generator(np.random.Philox(key=[seed, LENGTH_KEY])).triangular(*self.lengths_us)
            motion = replace(motion, side_us=round(length / (motion.loops * len(motion.corners))))
        if self.negative:
            image = 1.0 - np.asarray(image, np.float64)
        return simulate(image, self.sensor_size, seed, self.shown_size, self.camera, motion, self.surround)


PRESETS = {
    "nmnist": Preset(
        (34, 34),
        ".bin",
        "Train/{label}/{number:05d}",
        camera=Camera(threshold=0.16, blur_px=0.5, dark=0.24),
        motion=Saccades(((-1.67, -3.04), (3.6, -1.27), (-2.25, 2.77)), side_us=102_400),
        counted_whole=True,
        surround="continued",
        negative=True,  # real ON events lie where the white digit leaves
    ),
    "dvs_cifar10": Preset(
        (128, 128),
        ".aedat",
        "{label}/cifar10_{label}_{number}",
        camera=Camera(threshold=0.155),
        motion=Saccades(((0.0, -6.0), (-6.0, 0.0), (0.0, 6.0), (6.0, 0.0)), 54_000, loops=6, eased=False),
        shown_size=(128, 128),
        lengths_us=(1_149_758, 1_286_273, 1_459_301),
        classes=CIFAR10,
        surround="continued",
    ),
}
