"""The interval and test of a difference between two models' answers to the same questions, few of which differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

Floats = NDArray[np.float64]

MIN_QUESTIONS = 10
"""Fewer questions have no interval and no p: what they would say hangs on the method, not on the answers."""


@dataclass(frozen=True)
class Change:
    """Differences of cells, one array entry a cell.

    Attributes:
        mean: Mean difference over questions, NaN where there are none.
        low: Lower bound, NaN below `MIN_QUESTIONS`.
        high: Upper bound, likewise.
        p: Two-sided p of no difference; below 1 - confidence exactly where the interval excludes zero.
        discordant: How many questions differ at all. Where it is 0, the answers are all equal.
    """

    mean: Floats
    low: Floats
    high: Floats
    p: Floats
    discordant: NDArray[np.int64]


def change(values: Floats, confidence: float) -> Change:
    """Interval and test of a mean paired difference, for questions as the units, seeds pooled.

    The adjusted Wald interval of Bonett & Price 2012 (Journal of Educational and Behavioral Statistics 37:479): one
    question is added that the first model alone gets right, and one that the second alone does. Fagerland, Lydersen &
    Laake 2014 (Statistics in Medicine 33:2850) recommend it because it keeps its level when few questions differ. A
    question's difference is here the mean over seeds, between -1 and 1; the two added questions differ as much as the
    one that differs most, which for one seed is 1. Quantiles and p are Student's, with one degree of freedom less than
    there are questions. Conditional on the adapters that were trained: seeds are averaged, not resampled.

    Args:
        values: (cells, questions) differences, NaN where a question is not in a cell.
        confidence: Of the interval.
    """
    centre, error, n, discordant = adjusted(values)
    total, freedom = centre * (n + 2), np.maximum(n - 1, 1)
    half = t.ppf((1 + confidence) / 2, freedom) * error
    enough = n >= MIN_QUESTIONS
    return Change(
        mean=np.divide(total, n, out=np.full(len(n), np.nan), where=n > 0),
        low=np.where(enough, np.maximum(centre - half, -1.0), np.nan),
        high=np.where(enough, np.minimum(centre + half, 1.0), np.nan),
        p=np.where(enough, 2 * t.sf(np.abs(centre) / error, freedom), np.nan),
        discordant=discordant,
    )


def adjusted(values: Floats) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Where the interval of each cell lies, its standard error, questions in the cell and how many of them differ.

    Args:
        values: As for `change`.
    """
    present = ~np.isnan(values)
    clean = np.where(present, values, 0.0)
    n = present.sum(axis=1)
    discordant = (np.abs(clean) > 1e-12).sum(axis=1)
    squares = (clean**2).sum(axis=1)
    size = np.where(discordant > 0, np.abs(clean).max(axis=1, initial=0.0) ** 2, 1.0)
    centre = clean.sum(axis=1) / (n + 2)
    error = np.sqrt(np.maximum((squares + 2 * size) / (n + 2) - centre**2, 0) / (n + 2))
    return centre, error, n, discordant.astype(np.int64)
