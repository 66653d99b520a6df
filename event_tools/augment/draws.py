"""Random numbers that are the same everywhere: Philox for the bits, nothing but + - * / and square roots after it.

Normal draws are the inverse normal distribution of uniform ones, by Wichura's PPND7 (Applied Statistics algorithm
AS 241, 1988; right to 7 digits). Its logarithm is a series here, since that of the C library differs between systems
in the last bit.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from event_tools.filters.checks import whole

LARGEST_SEED = (1 << 64) - 1
Floats = NDArray[np.float64]


def generator(seed: int, name: str) -> np.random.Generator:
    """Draws that belong to a seed and to the augmentation of this name; raises ValueError for a seed beyond 64 bits."""
    seed = whole("seed", seed, 0, LARGEST_SEED)
    return np.random.Generator(np.random.Philox(key=np.array([seed, _digest(name)], np.uint64)))


def derived_seed(seed: int, *parts: int | str) -> int:
    """A seed of its own for a recording, an epoch, a step: `derived_seed(0, "train/3/00002.bin", epoch)`."""
    seed = whole("seed", seed, 0, LARGEST_SEED)
    return _digest(repr((seed, *(part if isinstance(part, str) else whole("part", part) for part in parts))))


def below(draws: Floats, count: int) -> NDArray[np.int64]:
    """Draws from [0, 1) as whole numbers from 0 to count - 1; count up to 2^63 - 1."""
    return np.minimum((draws * count).astype(np.int64), count - 1)


def normal(rng: np.random.Generator, count: int) -> Floats:
    """Draws of mean 0 and variance 1, the largest about 8."""
    return inverse_normal(np.maximum(rng.random(count), 2.0**-54))


def inverse_normal(u: Floats) -> Floats:
    """The number below which a standard normal lies with probability u, which is in (0, 1)."""
    q = u - 0.5
    r = 0.180625 - q * q
    z = q * _ratio(r, _CENTRE)
    tail = np.flatnonzero(np.abs(q) > 0.425)
    s = np.sqrt(-logarithm(np.minimum(u[tail], 1.0 - u[tail])))
    z[tail] = np.where(q[tail] < 0, -1.0, 1.0) * np.where(s <= 5.0, _ratio(s - 1.6, _NEAR), _ratio(s - 5.0, _FAR))
    return z


_CENTRE = (
    (3.3871327179e0, 5.0434271938e1, 1.5929113202e2, 5.9109374720e1),
    (1.0, 1.7895169469e1, 7.8757757664e1, 6.7187563600e1),
)
_NEAR = ((1.4234372777e0, 2.7568153900e0, 1.3067284816e0, 1.7023821103e-1), (1.0, 7.3700164250e-1, 1.2021132975e-1))
_FAR = ((6.6579051150e0, 3.0812263860e0, 4.2868294337e-1, 1.7337203997e-2), (1.0, 2.4197894225e-1, 1.2258202635e-2))


def _ratio(x: Floats, polynomials: tuple[tuple[float, ...], tuple[float, ...]]) -> Floats:
    above, under = (_polynomial(x, coefficients) for coefficients in polynomials)
    return above / under


def _polynomial(x: Floats, coefficients: tuple[float, ...]) -> Floats:
    value = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


def logarithm(x: Floats) -> Floats:
    """The natural logarithm of x > 0: x = m 2^e with m in [sqrt 1/2, sqrt 2), log m = 2 artanh((m - 1) / (m + 1))."""
    m, e = np.frexp(x)
    small = m < math.sqrt(0.5)
    m, e = np.where(small, 2 * m, m), e - small
    s = (m - 1.0) / (m + 1.0)
    series = _polynomial(s * s, tuple(1 / (2 * k + 1) for k in range(10)))
    return 2.0 * s * series + e * 0.6931471805599453


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
