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


def crossed_bootstrap(values: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Means of cells under the pigeonhole bootstrap: questions and seeds are resampled independently of each other.

    Owen 2007 (Annals of Applied Statistics 1:386): with counts ``w`` of questions and ``v`` of seeds, both
    multinomial, a draw is ``sum(v_s w_q x_sq) / sum(v_s w_q)``. All cells share the draws, so that differences between
    cells are paired. With one seed this is the plain bootstrap over questions; with few, the spread over seeds is
    known poorly and no bootstrap can mend that.

    Args:
        values: (cells, seeds, questions). NaN, in all seeds: the question does not count in this cell.
        draws: How many bootstrap samples.
        rng: Where the samples come from.

    Returns:
        (draws, cells). NaN where a sample has no question of a cell.
    """
    return resample_seeds(question_bootstrap(values, draws, rng), rng)


def question_bootstrap(values: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """The half of `crossed_bootstrap` that resamples questions: (draws, cells, seeds) means of each seed."""
    cells, seeds, questions = values.shape
    picked = rng.integers(0, questions, size=(draws, questions)) + questions * np.arange(draws)[:, None]
    counts = np.bincount(picked.ravel(), minlength=draws * questions).reshape(draws, questions).astype(float)
    total = (counts @ np.nan_to_num(values).reshape(cells * seeds, questions).T).reshape(draws, cells, seeds)
    present = ~np.isnan(values[:, 0])
    if present.all():
        return total / questions
    size = (counts @ present.T.astype(float))[:, :, None]
    return np.divide(total, size, out=np.full_like(total, np.nan), where=size > 0)


def resample_seeds(by_seed: Floats, rng: np.random.Generator) -> Floats:
    """The other half: (draws, cells) means over seeds drawn with replacement, from (draws, cells, seeds)."""
    draws, _, seeds = by_seed.shape
    counts = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    return np.einsum("bs,bcs->bc", counts, by_seed)


def percentile_interval(samples: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Bounds of the central share ``confidence`` of bootstrap samples (draws, ...), for each cell.

    Samples that are NaN do not count; a cell of nothing else has NaN bounds.
    """
    flat = samples.reshape(len(samples), -1)
    bounds = np.full((2, flat.shape[1]), np.nan)
    missing = np.isnan(flat)
    whole, empty = ~missing.any(axis=0), missing.all(axis=0)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    bounds[:, whole] = np.quantile(flat[:, whole], tails, axis=0)
    partly = ~whole & ~empty
    bounds[:, partly] = np.nanquantile(flat[:, partly], tails, axis=0)
    low, high = bounds.reshape(2, *samples.shape[1:])
    return low, high


def sign_flip(values: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Two-sided p of mean zero for each cell, by flipping the signs of whole questions (Fisher 1935, The Design ch. 3).

    The null is that a question's difference is as likely to be of either sign. ``p = (1 + hits) / (1 + draws)``, hits
    being flips with a mean as far from zero as the one observed (Phipson & Smyth 2010): never zero, never too small.

    Args:
        values: (cells, questions), one difference a question, seeds averaged. NaN: not in this cell.
        draws: How many random flips, shared by all cells.
        rng: Where the flips come from.

    Returns:
        (cells,). NaN for a cell without a question.
    """
    present = ~np.isnan(values)
    clean = np.where(present, values, 0.0)
    signs = rng.integers(0, 2, size=(draws, values.shape[1]), dtype=np.int8) * 2.0 - 1.0
    observed = np.abs(clean.sum(axis=1))
    # Equal sums in another order differ in their last bits; they must count as hits.
    slack = 1e-9 * np.abs(clean).sum(axis=1)
    hits = (np.abs(signs @ clean.T) >= observed - slack).sum(axis=0)
    return np.where(present.any(axis=1), (1 + hits) / (1 + draws), np.nan)


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
