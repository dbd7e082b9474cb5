"""Intervals and tests. Every draw comes from a seed that the caller gives: same seed, same numbers."""

from collections.abc import Callable
import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control
from statsmodels.stats.proportion import proportion_confint

Floats = NDArray[np.float64]


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each thing that is named, so that adding one leaves the others' draws alone."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def wilson(share: ArrayLike, n: ArrayLike, confidence: float) -> tuple[Floats, Floats]:
    """Score interval of a proportion (Wilson 1927, JASA 22:209), for shares observed on ``n`` independent units.

    It always contains the share: rounding can put a bound slightly past a share of 0 or 1.
    """
    count = np.asarray(share, dtype=float) * np.asarray(n, dtype=float)
    low, high = proportion_confint(count, np.asarray(n, dtype=float), alpha=1 - confidence, method="wilson")
    return np.minimum(low, share), np.maximum(high, share)


def holm(p: ArrayLike) -> Floats:
    """P-values adjusted for the family they make up, by Holm 1979; NaN stays NaN and does not count."""
    return _of_known(p, _holm)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """False-discovery-rate q-values, by Benjamini & Hochberg 1995; NaN stays NaN and does not count."""
    return _of_known(p, false_discovery_control)


def _holm(p: Floats) -> Floats:
    # statsmodels' multipletests gives the same but collects garbage on each call, 0.15 s that many families pay.
    order = p.argsort(kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def _of_known(p: ArrayLike, adjust: Callable[[Floats], Floats]) -> Floats:
    values = np.asarray(p, dtype=float)
    result = np.full_like(values, np.nan)
    known = ~np.isnan(values)
    if known.any():
        result[known] = adjust(values[known])
    return result
