"""A simple event camera: a still image, moved along a closed path, seen by event pixels.

The image is shown over the middle of the sensor, blurred by the lens, and moved: by default along a triangle, as
N-MNIST was recorded (Orchard et al. 2015), with the speed of each side a raised cosine, so that the event rate has one
hump per saccade. Pixels compare log intensity with the level they remember (`pixels.py`); thresholds differ from pixel
to pixel as they do on a chip. What imitates a well-known data set stands in `presets.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from event_tools.counts import resize
from event_tools.events import Events

GRID = 4  # samples of the scene a pixel
STEP_US = 1000  # L(t) is linear between samples this far apart
SURROUNDS: dict[str, Literal["constant", "edge"]] = {"black": "constant", "continued": "edge"}


@dataclass(frozen=True)
class Camera:
    """The sensor.

    threshold: mean step of log intensity that fires; mismatch: its relative standard deviation over the pixels;
    refractory_us: least time between two events of a pixel; noise_hz: background events a pixel and second;
    blur_px: standard deviation of the lens's blur; dark: intensity of black where white is 1; serial: which camera,
    the key of its pixels' thresholds.
    """

    threshold: float = 0.25
    mismatch: float = 0.1
    refractory_us: int = 1700
    noise_hz: float = 0.2
    blur_px: float = 0.6
    dark: float = 0.2
    serial: int = 0

    def __post_init__(self) -> None:
        if self.threshold <= 0 or not 0 < self.dark < 1:
            raise ValueError(
                f"expected threshold above 0 and dark between 0 and 1, got {self.threshold} and {self.dark}"
            )
        if min(self.mismatch, self.refractory_us, self.noise_hz, self.blur_px) < 0:
            raise ValueError("expected mismatch, refractory_us, noise_hz and blur_px from 0 up")


@dataclass(frozen=True)
class Saccades:
    """The motion: corners of a closed path in pixels (rows, columns), duration of each side in microseconds, and the
    standard deviation in pixels of where a recording begins.

    loops: how often the path is gone round; eased: whether the speed of a side is a raised cosine, otherwise constant.
    """

    corners: tuple[tuple[float, float], ...] = ((-1.5, -2.0), (1.5, 0.0), (-1.5, 2.0))
    side_us: int = 102_000
    jitter_px: float = 0.3
    loops: int = 1
    eased: bool = True

    def __post_init__(self) -> None:
        if self.loops < 1 or self.side_us < 1 or len(self.corners) < 2:
            raise ValueError(
                f"expected two corners or more, side_us and loops from 1 up, got {len(self.corners)} corners, "
                f"{self.side_us} and {self.loops}"
            )

    def path(self) -> NDArray[np.float64]:
        """(S, 2) rows and columns that the scene has moved, every STEP_US of one loop."""
        per_side = max(1, round(self.side_us / STEP_US))
        tau = np.arange(per_side) / per_side
        eased = (tau - np.sin(2 * np.pi * tau) / (2 * np.pi) if self.eased else tau)[:, None]
        corners = np.asarray(self.corners, np.float64)
        sides = [a + eased * (b - a) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
        return np.concatenate((*sides, corners[:1]))


def simulate(
    image: ArrayLike,
    sensor_size: tuple[int, int] = (34, 34),
    seed: int = 0,
    shown_size: tuple[int, int] | None = None,
    camera: Camera | None = None,
    motion: Saccades | None = None,
    surround: str = "black",
) -> Events:
    """The recording of an image (H, W) in [0, 1], by default about 0.3 s long, sorted by (t, y, x, p).

    sensor_size, shown_size: (width, height). The image is resized to shown_size, by default 28/34 of the sensor as in
    N-MNIST, or 22/34 for images of less than 16 pixels a side, which have no margin of their own. seed fixes where
    the recording begins, the pixels' first memory and the noise. surround: what lies around the image, black or, as
    continued, the colours of its border. Raises ValueError.
    """
    from event_tools.pixels import pixel_events

    camera, motion = camera or Camera(), motion or Saccades()
    width, height = sensor_size
    picture = np.asarray(image, np.float64)
    if picture.ndim != 2 or not picture.size or not (picture.min() >= 0 and picture.max() <= 1):
        raise ValueError(
            f"expected an image (H, W) with values from 0 to 1, got shape {picture.shape}; divide by its range first"
        )
    part = 28 if min(picture.shape) >= 16 else 22
    columns, rows = shown_size or (max(1, width * part // 34), max(1, height * part // 34))
    if surround not in SURROUNDS:
        raise ValueError(f"expected surround to be {' or '.join(SURROUNDS)}, got {surround!r}")
    rng = np.random.Generator(np.random.Philox(key=seed))
    shift = motion.path() + rng.normal(0.0, motion.jitter_px, 2)
    around = SURROUNDS[surround]
    scene, origin = _scene(picture, (height, width), (rows, columns), camera, float(np.abs(shift).max()), around)
    rise, fall = _thresholds(camera, height, width)
    memory = rng.uniform(-0.95 * rise, 0.95 * fall)  # anywhere short of firing
    capacity = 8 * height * width * motion.loops
    while True:
        out = np.empty((capacity, 4), np.int64)
        count = pixel_events(
            scene,
            GRID,
            origin,
            shift,
            motion.loops,
            float(STEP_US),
            memory,
            rise,
            fall,
            float(camera.refractory_us),
            out,
        )
        if count <= capacity:
            break
        capacity = count
    return _with_noise(out[:count], rng, camera, (width, height), motion.loops * (len(shift) - 1) * STEP_US)


def _scene(
    picture: NDArray[np.float64],
    sensor: tuple[int, int],
    shown: tuple[int, int],
    camera: Camera,
    reach_px: float,
    around: Literal["constant", "edge"],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Log intensity on the fine grid with room to move, and where pixel (0, 0) lies in it."""
    if shown[0] > sensor[0] or shown[1] > sensor[1]:
        raise ValueError(
            f"expected an image shown within the sensor's {sensor[1]}x{sensor[0]}, got {shown[1]}x{shown[0]}"
        )
    room = (int(np.ceil(reach_px)) + 1) * GRID
    fine = resize(picture, (shown[0] * GRID, shown[1] * GRID))
    spare = [sensor[i] * GRID + 2 * room - fine.shape[i] for i in range(2)]
    fine = np.pad(fine, [(n // 2, n - n // 2) for n in spare], mode=around)
    for axis in range(2):
        fine = _blurred(fine, camera.blur_px * GRID, axis)
    intensity = camera.dark + (1 - camera.dark) * np.clip(fine, 0.0, 1.0)
    return np.log(intensity).astype(np.float32), np.array([room, room], np.int64)


def _blurred(values: NDArray[np.float64], sigma: float, axis: int) -> NDArray[np.float64]:
    """Gaussian blur along one axis, dark beyond the border."""
    reach = int(np.ceil(3 * sigma))
    if reach == 0:
        return values
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    n = values.shape[axis]
    padded = np.pad(values, [(reach, reach) if i == axis else (0, 0) for i in range(2)])
    blurred = np.zeros_like(values)
    for i, weight in enumerate(kernel):  # a few shifted sums: matrix products would wake every thread of the BLAS
        blurred += weight * (padded[i : i + n] if axis == 0 else padded[:, i : i + n])
    return blurred


def _thresholds(camera: Camera, height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ON and OFF thresholds of each pixel, never below a fifth of the mean."""
    rng = np.random.Generator(np.random.Philox(key=camera.serial))
    spread = 1 + camera.mismatch * rng.standard_normal((2, height, width))
    rise, fall = camera.threshold * np.maximum(spread, 0.2)
    return rise, fall


def _with_noise(
    signal: NDArray[np.int64], rng: np.random.Generator, camera: Camera, size: tuple[int, int], duration_us: int
) -> Events:
    """The pixels' events with background events, sorted, and without what the refractory time forbids."""
    from event_tools.pixels import awake_mask

    width, height = size
    count = rng.poisson(camera.noise_hz * width * height * duration_us * 1e-6)
    limits = np.array([duration_us, height, width, 2])
    rows = np.concatenate((signal, rng.integers(0, limits, (count, 4))))
    key = ((rows[:, 0] * height + rows[:, 1]) * width + rows[:, 2]) * 2 + rows[:, 3]
    t, y, x, p = rows[np.argsort(key, kind="stable")].T
    keep = awake_mask(t, y, x, height, width, camera.refractory_us)
    return Events(t[keep], x[keep], y[keep], p[keep], size)
