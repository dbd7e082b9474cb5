"""What a grid can find, before any GPU is used: smallest effects with 80%, from sizes, seeds and agreement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

from ..config.analysis import SmallestEffect
from ..questions.test_set import ALL, TestSet
from . import formatting, term_worlds

POWER = 0.8
OVER_ALL = "specialty knowledge, over all"
EQUIVALENT = "no specialty knowledge (equivalence)"
ONE = "one specialty's own adapter stands out"
CLAIM_1 = "own adapter ahead of every other (claim 1)"
_TERMS = {
    "terms_minus_placebo": "clinical terms rise more than placebo words (claim 2)",
    "own_by_own": "own terms rise more under the own adapter (claim 2)",
}
_SEEDS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30)
"""Numbers of seeds that are tried for `seeds_needed`."""


@dataclass(frozen=True)
class Assumptions:
    """What the noise of a grid depends on.

    Attributes:
        accuracy: Share of right answers.
        between: Correlation of right answers to one question between adapters of different train sets.
        within: The same between seeds of one train set.
        several_seeds: Whether `within` is known apart from `between`.
        basis: Where these come from, in words.
    """

    accuracy: float = 0.45
    between: float = 0.33
    within: float = 0.49
    several_seeds: bool = True
    basis: str = "accuracy and agreement assumed as in the simulated worlds; no pilot was found"


def measured(right: np.ndarray) -> Assumptions:
    """Assumptions from a pilot.

    Args:
        right: (train sets, seeds, questions) of right answers.
    """
    train_sets, seeds, _ = right.shape
    flat = right.reshape(train_sets * seeds, -1)
    known = flat.std(axis=1) > 0
    correlation = np.corrcoef(flat[known])
    of = np.repeat(np.arange(train_sets), seeds)[known]
    same, upper = of[:, None] == of, np.triu(np.ones(correlation.shape, bool), 1)
    between = float(correlation[upper & ~same].mean()) if (upper & ~same).any() else Assumptions.between
    within = float(correlation[upper & same].mean()) if (upper & same).any() else between
    basis = f"accuracy and agreement measured on {flat.shape[1]} questions and {len(flat)} adapters"
    return Assumptions(float(right.mean()), between, max(within, between), seeds > 1, basis)


def table(
    sizes: Sequence[int], seeds: int, families: int, smallest: SmallestEffect, given: Assumptions, confidence: float
) -> pd.DataFrame:
    """One row a statement of the verdict.

    The part of an answer's variance that is a train set's own decides: what adapters share cancels, and seeds average
    the rest. Interactions of train sets with specialties, beyond chance, are not known beforehand and left out.

    Args:
        sizes: Test questions of each specialty.
        seeds: Adapters of each train set.
        families: Models, recipes and methods over which p-values are corrected.
        smallest: What matters, in points.
        given: The noise.
        confidence: Of the intervals.

    Returns:
        `statement`, `found` (with 80%), `found_corrected` (after Holm, at worst), `matters`, `questions_needed` (a
        specialty, for what matters to be found) and `unit` (points).
    """
    t, alpha = len(sizes), 1 - confidence
    spread = given.accuracy * (1 - given.accuracy)
    own = spread * ((given.within - given.between) + (1 - given.within) / seeds)
    each = own * float(np.mean(1 / np.asarray(sizes)))
    median = float(np.median(sizes))
    rows = []
    if t >= 3:
        df = (t - 1) ** 2 - 1
        se = sqrt(each / (t - 1))
        rows.append(_row(OVER_ALL, se, df, alpha, families, smallest.all, median))
        width = _equivalent(alpha, df) * se
        rows.append(_numbers(EQUIVALENT, width, width, smallest.all, median))
    if t >= 4:
        se = sqrt(own / median * (1 + 1 / (t - 1)) * (1 + 1 / (t - 2)))
        rows.append(_row(ONE, se, t - 2, alpha, t, smallest.specialty, median))
    if t >= 2:
        found = _lead(t - 1, median, seeds, given, alpha)
        rows.append(_numbers(CLAIM_1, found, found, smallest.specialty, median))
    columns = ["statement", "found", "found_corrected", "matters", "questions_needed"]
    return pd.DataFrame(rows, columns=columns).assign(unit="points")


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
"""To integrate over a normal variable."""
_SPREADS = (np.arange(200) + 0.5) / 200
"""Quantiles at which the distribution of a variance estimate is taken."""


def _estimated(df: float) -> np.ndarray:
    """Standard errors that an estimate with so many degrees of freedom gives where the true one is 1."""
    return np.sqrt(stats.chi2.ppf(_SPREADS, df) / df) if np.isfinite(df) else np.ones(1)


def _largest(share: float, n: int, df: float) -> float:
    """Quantile of the largest of n t variables that correlate by a half, as differences from one adapter do.

    Dunnett 1955 (JASA 50:1096).
    """
    estimated = _estimated(df)[:, None]

    def reached(x: float) -> float:
        return float((stats.norm.cdf(sqrt(2) * x * estimated + _NODES) ** n @ _WEIGHTS).mean())

    return float(brentq(lambda x: reached(x) - share, -5, 50))


def _equivalent(alpha: float, df: float) -> float:
    """How many standard errors wide a margin is within which the whole interval of no effect lies with 80%."""
    half = float(stats.t.ppf(1 - alpha / 2, df)) * _estimated(df)
    return float(brentq(lambda x: (2 * stats.norm.cdf(np.maximum(x - half, 0)) - 1).mean() - POWER, 0, 100))


def _lead(others: int, questions: float, seeds: int, given: Assumptions, alpha: float) -> float:
    """The lead over all others at which all lower bounds are above zero with 80%, by the error of `against_best`.

    An adapter that is far ahead answers nearly everything rightly: its answers vary less, and agree less with others'.
    """
    times = _largest(1 - alpha, others, max(questions - 1, 1)) + _largest(POWER, others, inf)
    other, lead = min(max(given.accuracy, 0.02), 0.98), 0.0
    between, within = (_latent(r, other) for r in (given.between, given.within))
    for _ in range(20):
        own = min(other + lead, 0.98)
        variance = -2 * _covariance(own, other, between)
        for p in (own, other):
            variance += _covariance(p, p, within) * (1 - 1 / seeds) + p * (1 - p) / seeds
        lead = times * sqrt(max(variance, 0.0) / questions + 0.5 / questions**2)
    return lead


def _covariance(one: float, other: float, latent: float) -> float:
    """Of two right answers with these chances, made of normal variables that correlate so."""
    near = [stats.norm.cdf((stats.norm.ppf(p) - sqrt(latent) * _NODES) / sqrt(1 - latent)) for p in (one, other)]
    return float((near[0] * near[1]) @ _WEIGHTS) - one * other


def _latent(correlation: float, accuracy: float) -> float:
    """The correlation of normal variables behind answers that correlate so; between 0 and 0.99."""
    wanted = correlation * accuracy * (1 - accuracy)
    if wanted <= 0 or wanted >= _covariance(accuracy, accuracy, 0.99):
        return 0.0 if wanted <= 0 else 0.99
    return float(brentq(lambda latent: _covariance(accuracy, accuracy, latent) - wanted, 0, 0.99))


def seeds_needed(
    rows: pd.DataFrame, sizes: Sequence[int], smallest: SmallestEffect, given: Assumptions, confidence: float
) -> pd.Series:
    """For each row of `table`, the fewest seeds with which what matters is found; NA where thirty would not do."""
    found = {k: table(sizes, k, 1, smallest, given, confidence)["found"].to_numpy() for k in _SEEDS}
    enough = np.array([found[k] <= rows["matters"].to_numpy() for k in _SEEDS])
    needed = [_SEEDS[int(column.argmax())] if column.any() else pd.NA for column in enough.T]
    return pd.Series(needed, index=rows.index, dtype="Int64")


def of_terms(
    mentions: pd.DataFrame, test_set: TestSet, names: list[str], seeds: int, confidence: float, scope: str
) -> pd.DataFrame:
    """What contrasts of terms find with 80%, over all train sets, in nats per token: rows as those of `table`.

    From the intervals of made-up shifts of the real mentions, with effects of words, questions and single mentions as
    they were in the demo.

    Args:
        mentions: `tables.MENTIONS`.
        test_set: The test questions.
        names: The specialties that have a train set.
        seeds: Adapters of each train set.
        confidence: Of the intervals.
        scope: `strict`, or `broad` for the terms of both lexicons.
    """
    world = replace(term_worlds.DEMO, seeds=seeds)
    made = term_worlds.on_mentions(world, names, mentions, test_set, 20, np.random.default_rng(0), confidence, scope)
    return _found_by_terms(made[made["train_set"] == ALL], confidence)


def of_measured_terms(shifts: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """The same from a pilot's own intervals: rows of `term_shift.csv` of one model, recipe, context and scope."""
    pooled = (shifts["train_set"] == ALL) & (shifts["seed"].astype(str) == ALL) & (shifts["measure"] == "mean")
    return _found_by_terms(shifts[pooled], confidence)


def _found_by_terms(intervals: pd.DataFrame, confidence: float) -> pd.DataFrame:
    half = ((intervals["high"] - intervals["low"]) / 2).groupby(intervals["group"]).mean()
    times = 1 + stats.norm.ppf(POWER) / stats.norm.ppf((1 + confidence) / 2)
    return pd.DataFrame(
        [
            {"statement": statement, "found": round(times * half[group], 3), "unit": "nats per token"}
            for group, statement in _TERMS.items()
            if group in half and np.isfinite(half[group])
        ],
        columns=["statement", "found", "unit"],
    )


def _row(
    name: str, se: float, df: float, alpha: float, families: int, matters: float, questions: float
) -> tuple[str, float, float, float, int]:
    found, corrected = (
        float(stats.t.ppf([1 - a / 2, POWER], df).sum()) * se for a in (alpha, alpha / max(families, 1))
    )
    return _numbers(name, found, corrected, matters, questions)


def _numbers(
    name: str, found: float, corrected: float, matters: float, questions: float
) -> tuple[str, float, float, float, int]:
    needed = ceil(questions * (100 * found / matters) ** 2)
    return name, round(100 * found, 1), round(100 * corrected, 1), matters, needed


def text(rows: pd.DataFrame, sizes: Sequence[int], seeds: int, given: Assumptions, of_terms: str) -> str:
    """The table in words, with a warning for each statement that the grid cannot decide.

    Args:
        rows: `table`, with `seeds_needed` where it is known, and the rows of terms.
        sizes: Test questions of each specialty.
        seeds: Adapters of each train set.
        given: The noise.
        of_terms: What the rows of terms rest on, as a sentence.
    """
    head = (
        f"{len(sizes)} specialties of {formatting.span(sizes)} test questions, {seeds} "
        f"{'seed' if seeds == 1 else 'seeds'}; {given.basis} ({given.accuracy:.0%}, {given.between:.2f} between and "
        f"{given.within:.2f} within train sets). What is found with 80%:\n\n"
    )
    names = {"found_corrected": "corrected", "questions_needed": "questions needed", "seeds_needed": "seeds needed"}
    shown = rows.rename(columns=names).convert_dtypes().astype(object)
    blind = rows[rows["found"] > rows["matters"]]
    warnings = "".join(
        f"This grid cannot answer: {row.statement}. Differences that matter ({row.matters:g} points) need about "
        f"{int(row.questions_needed):,} test questions a specialty{_or_seeds(row._asdict())}.\n"
        for row in blind.itertuples()
    )
    ending = warnings or "What matters can be found.\n"
    if (rows["unit"] != "points").any():
        ending += f"{of_terms}\n"
    return f"{head}{shown.where(shown.notna(), '').to_string(index=False)}\n\n{ending}"


def _or_seeds(row: dict[str, Any]) -> str:
    needed = row.get("seeds_needed")
    return "" if needed is None else ", and more seeds alone do not help" if pd.isna(needed) else f", or {needed} seeds"
