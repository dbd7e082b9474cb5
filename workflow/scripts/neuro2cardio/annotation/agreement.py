"""How far experts, or votes, agree: Krippendorff's alpha and Cohen's kappa, with bootstrap intervals."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple
import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import confusion_matrix

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate and its percentile bootstrap interval over questions; NaN where it is not defined."""

    value: float
    low: float
    high: float


def alpha(ratings: pd.DataFrame, draws: int = 1000, seed: int = 0, confidence: float = 0.95) -> Interval:
    """Krippendorff's alpha for nominal labels.

    Alpha is 1 - observed / expected disagreement between pairs of ratings of one question, where each question's pairs
    weigh 1 / (its ratings - 1) (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", nominal metric).
    Questions with fewer than two ratings say nothing about agreement and are left out.

    Args:
        ratings: Questions x raters; missing or empty cells are not rated.
        draws: Bootstrap resamples of the questions.
        seed: Of the bootstrap.
        confidence: Of the interval.
    """
    counts = _counts(ratings)
    counts = counts[counts.sum(axis=1) >= 2]
    if (counts.sum(axis=0) > 0).sum() < 2:
        return Interval(float("nan"), float("nan"), float("nan"))
    value = float(_alphas(counts, np.ones((1, len(counts)), np.int64))[0])
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=draws)
    return _interval(value, _alphas(counts, weights), confidence)


def kappa(
    first: Sequence[str], second: Sequence[str], draws: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """Cohen's kappa of two raters over the questions that both rated."""
    both = [(a, b) for a, b in zip(first, second, strict=True) if _given(a) and _given(b)]
    names = sorted({name for pair in both for name in pair})
    if not both:
        return Interval(float("nan"), float("nan"), float("nan"))
    table = confusion_matrix([a for a, _ in both], [b for _, b in both], labels=names)
    rng = np.random.default_rng(seed)
    resampled = rng.multinomial(len(both), table.ravel() / len(both), size=draws).reshape(draws, *table.shape)
    return _interval(_kappa(table), [_kappa(t) for t in resampled], confidence)


def table(ratings: pd.DataFrame, draws: int = 1000, seed: int = 0, confidence: float = 0.95) -> pd.DataFrame:
    """Alpha of all raters and kappa of each pair, with the number of questions behind each; none for fewer than two."""
    columns = ["statistic", "raters", "n", "value", "low", "high"]
    if ratings.shape[1] < 2:
        return pd.DataFrame(columns=columns)
    rated = ratings.map(_given)
    rows = [("krippendorff_alpha", ", ".join(ratings), int((rated.sum(axis=1) >= 2).sum()))]
    values = [alpha(ratings, draws, seed, confidence)]
    for a, b in combinations(ratings, 2):
        rows.append(("cohen_kappa", f"{a}, {b}", int((rated[a] & rated[b]).sum())))
        values.append(kappa(ratings[a].tolist(), ratings[b].tolist(), draws, seed, confidence))
    return pd.DataFrame([(*row, *value) for row, value in zip(rows, values, strict=True)], columns=columns)


def _given(label: object) -> bool:
    return isinstance(label, str) and label != ""


def _counts(ratings: pd.DataFrame) -> Ints:
    """How many raters gave each label to each question (questions x labels)."""
    given = ratings.where(ratings.map(_given))
    names = sorted(given.stack().dropna().unique())
    counts = [(given == name).sum(axis=1).to_numpy() for name in names]
    return np.array(counts, np.int64).reshape(len(names), len(ratings)).T


def _alphas(counts: Ints, weights: Ints) -> Floats:
    """Nominal alpha of many resamples at once.

    Args:
        counts: How many raters gave each label to each question (questions x labels); at least two a question.
        weights: How often each question was drawn (draws x questions).

    Returns:
        One value a draw; NaN where a resample has one label only.
    """
    raters = counts.sum(axis=1)
    agreeing = weights @ ((counts * (counts - 1)).sum(axis=1) / (raters - 1))
    totals = weights @ counts
    n = totals.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = 1 - (totals * (totals - 1)).sum(axis=1) / (n * (n - 1))
        return np.where(expected > 0, 1 - (1 - agreeing / n) / expected, np.nan)


def _kappa(table: Ints) -> float:
    """Kappa from a contingency table (Cohen 1960), which the bootstrap draws whole; equal to scikit-learn's."""
    shares = table / table.sum()
    expected = float(shares.sum(axis=1) @ shares.sum(axis=0))
    return float("nan") if expected == 1 else (float(np.trace(shares)) - expected) / (1 - expected)


def _interval(value: float, samples: Sequence[float] | Floats, confidence: float) -> Interval:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        tail = (1 - confidence) / 2
        low, high = np.nanquantile(samples, [tail, 1 - tail]) if len(samples) else (np.nan, np.nan)
    return Interval(value, float(low), float(high))
