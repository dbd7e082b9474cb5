"""What a change against base is made of: common gain, train set, test specialty, and what the own adapter adds.

Inference is over train sets, not conditional on the adapters that happened to be trained: train sets differ in quality,
and adapters from seed to seed, and neither may pass for specialty knowledge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import hypot, inf, isfinite, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats
from scipy.optimize import brentq

from ..core.adapters import Axes
from ..core.base_rows import BASE_ROWS
from . import paired
from .cells import Noise
from .transfer import Scores

Floats = NDArray[np.float64]

POWER = 0.8
"""With which an effect is to be found, where the smallest detectable one is named."""


LEAST_P = 1e-30
"""A smaller one is not told apart."""


_ROUNDING = 1e-15
"""Variances up to this are rounding of equal means."""


class Part(NamedTuple):
    """A variance, and the degrees of freedom that it is known by."""

    variance: float
    df: float


@dataclass(frozen=True)
class Estimate:
    """An effect as a share of questions, with a variance that is the sum of independently estimated parts.

    A quantile is the normal one and what the parts' t quantiles are beyond it, each weighted by a power of its share
    of the variance, and put together as the root of the sum of squares: Student's where there is one part. With one
    degree of freedom the power is one, as in the rule of Cochran & Cox (1950, Experimental Designs), and with many it
    nears two, as Satterthwaite's (1946, Biometrics Bulletin 2:110) has it to the first order; the former is careful
    and the latter hopeful where few degrees of freedom are in question. The powers between them are ours: docs/
    decisions.md says what they cover. Interval and p come from the same quantiles: the interval excludes zero exactly
    where p is below 1 - confidence.
    """

    value: float
    parts: tuple[Part, ...]
    centre: float | None = None
    """Of the interval, and what p is of; None: the value."""

    @classmethod
    def single(cls, value: float, se: float, df: float) -> "Estimate":
        """With one variance."""
        return cls(value, (Part(se**2, df),))

    @property
    def se(self) -> float:
        """Standard error."""
        return sqrt(sum(part.variance for part in self.parts))

    @property
    def df(self) -> float:
        """Degrees of freedom by Satterthwaite, to describe how much the variance is known by."""
        total = sum(part.variance for part in self.parts)
        if total == 0:
            return max(part.df for part in self.parts)
        return 1 / sum((part.variance / total) ** 2 / part.df if part.df else nan for part in self.parts)

    def _quantile(self, tail: float) -> float:
        """Standard errors above which this share lies."""
        variances, df = np.array(self.parts).T
        total = variances.sum()
        # As scipy.stats has them, without its checks: a p takes dozens of quantiles.
        each, normal = -special.stdtrit(df, tail), -special.ndtri(tail)
        if total == 0:
            return float(each.min())
        return float(normal + hypot(*((variances / total) ** (2 * df / (df + 1)) * (each - normal))))

    @property
    def _known(self) -> bool:
        return all(part.df > 0 and isfinite(part.variance) for part in self.parts)

    def interval(self, confidence: float) -> tuple[float, float]:
        """Bounds of the central interval; NaN without degrees of freedom."""
        if not self._known:
            return nan, nan
        half = self._quantile((1 - confidence) / 2) * self.se
        return self._middle - half, self._middle + half

    @property
    def _middle(self) -> float:
        return self.value if self.centre is None else self.centre

    @property
    def p(self) -> float:
        """Two-sided p of no effect."""
        if not self._known:
            return nan
        if self.se == 0:
            return 1.0 if self._middle == 0 else 0.0
        at = abs(self._middle) / self.se
        if len(self.parts) == 1:
            return float(2 * stats.t.sf(at, self.parts[0].df))
        if self._quantile(LEAST_P) <= at:
            return 2 * LEAST_P
        return float(2 * np.exp(brentq(lambda log: self._quantile(np.exp(log)) - at, np.log(LEAST_P), np.log(0.5))))

    def detectable(self, confidence: float) -> float:
        """The smallest effect that such a test finds with 80%."""
        if not self._known:
            return nan
        return (self._quantile((1 - confidence) / 2) + self._quantile(1 - POWER)) * self.se


NONE = Estimate.single(nan, nan, nan)


def common_gain(block: Scores, axes: Axes) -> Estimate:
    """Mean change against base over all test questions, of the specialties' adapters."""
    adapters = block.adapters[axes.specialty_rows]
    return with_luck(adapters, adapters.mean(axis=(0, 1)) - block.base, 1 / len(adapters))


def reference(block: Scores, axes: Axes, control: str) -> Floats:
    """(questions,) share of seeds that are right: of a control's adapters, or of a base row."""
    if control in block.base_rows:
        return block.base_rows[control]
    return np.asarray(block.adapters[axes.train_set.index(control)].mean(axis=0))


def gain_beyond(block: Scores, axes: Axes, control: str) -> Estimate:
    """Mean accuracy of the specialties' adapters minus that of a control, on the same questions.

    A control has one train set, and its luck is in all of the difference: it is taken to be as large as that of the
    specialties' train sets, by how much these differ. Luck of a seed cancels. Base rows are not trained, and have none.
    """
    adapters, trained = block.adapters[axes.specialty_rows], control not in BASE_ROWS
    contrast = adapters.mean(axis=(0, 1)) - reference(block, axes, control)
    return with_luck(adapters, contrast, 1 / len(adapters) + trained, seeds=not trained)


def gain_of(block: Scores, axes: Axes, control: str) -> Estimate:
    """Mean change of one control against base, with the luck of one train set as above."""
    contrast = reference(block, axes, control) - block.base
    return with_luck(block.adapters[axes.specialty_rows], contrast, float(control not in BASE_ROWS))


def with_luck(adapters: Floats, contrast: Floats, times: float, seeds: bool = True) -> Estimate:
    """Mean of a contrast over questions, its error made of questions and of the luck of train sets and of seeds.

    Two-way analysis of variance, train sets and questions both random: a train set's mean differs from another's by
    its luck and by noise of single answers, and the contrast's variance over questions holds ``times`` that noise
    already; the rest of it is shared by all train sets, and added. Nothing is cut off at zero luck, which with few
    train sets would be wrong either way. What a seed adds to all train sets is known where there are several seeds.

    Args:
        adapters: (train sets, seeds, questions) of right answers, of the specialties' adapters.
        contrast: (questions,) of which the mean is taken.
        times: How often the variance of one train set's mean is in that of the contrast. 0: it is not trained.
        seeds: Whether luck that all train sets share under a seed is in it.
    """
    rows, n = len(adapters), len(contrast)
    if rows < 2 or times == 0:
        return _of_questions(contrast)
    if n < 2:
        return NONE
    value, least = float(contrast.mean()), least_variance(n, contrast)
    by_question = max(float(contrast.var(ddof=1)) / n, least)
    right = adapters.mean(axis=1)
    noise = float((centred(right) ** 2).sum()) / ((rows - 1) * (n - 1) * n)
    of_luck, shared = times * float(right.mean(axis=1).var(ddof=1)), max(by_question - times * noise, 0.0)
    # Train sets that by luck have equal numbers of right answers are not certain for it.
    parts = [Part(of_luck if of_luck + shared > _ROUNDING else least, rows - 1), Part(shared, n - 1)]
    if seeds and adapters.shape[1] > 1:
        parts.append(_of_seeds(adapters.mean(axis=2)))
    return Estimate(value, tuple(parts))


def _of_questions(contrast: Floats) -> Estimate:
    """Without luck of train sets: the interval and p of the cell over all questions of the transfer matrix."""
    value = float(contrast.mean())
    if len(contrast) < paired.MIN_QUESTIONS:
        return Estimate.single(value, nan, nan)
    (centre,), (error,), *_ = paired.adjusted(contrast[None])
    return Estimate(value, (Part(float(error**2), len(contrast) - 1),), float(centre))


def _of_seeds(means: Floats) -> Part:
    """What seeds add to all train sets: how much their means differ, beyond what single adapters do.

    Args:
        means: (train sets, seeds) accuracy.
    """
    rows, seeds = means.shape
    single = float((centred(means) ** 2).sum()) / ((rows - 1) * (seeds - 1))
    between = float(means.mean(axis=0).var(ddof=1))
    return Part(max(between - single / rows, 0.0) / seeds, seeds - 1)


def least_variance(n: int, differences: Floats | None = None, step: float = 1.0) -> float:
    """The least variance of a mean difference over questions, so that equal answers to a few of them are not certain.

    As if one more question were answered right by the first alone and one by the second alone (Bonett & Price 2012,
    Journal of Educational and Behavioral Statistics 37:479). It matters where hardly any answer differs.

    Args:
        n: Questions.
        differences: Of their answers: the two differ as much as the one that differs most. None, or all equal: by
            ``step``.
        step: The largest possible difference of one question.
    """
    size = float(np.abs(differences).max(initial=0.0)) if differences is not None else 0.0
    return float(2 * (size or step) ** 2 / (n + 2) ** 2)


def centred(matrix: Floats) -> Floats:
    """A matrix without its row and column means: what neither train set nor test specialty explains."""
    return np.asarray(matrix - matrix.mean(axis=0) - matrix.mean(axis=1)[:, None] + matrix.mean())


def specialty_knowledge(matrix: Floats, noise: Noise | None = None, least: float = 0.0) -> Estimate:
    """What an adapter adds on its own specialty, beyond common gain, train set and test specialty.

    The least-squares coefficient of "own specialty" beside effects of rows and columns, with the error of what is left
    of the matrix: interactions of train sets with test specialties, of adapters from seed to seed, and of questions.
    What questions add to the diagonal beyond that is a second part. Where train sets are permuted against specialties
    instead (Hubert & Schultz 1976, Br. J. Math. Stat. Psychol. 29:190), the same statistic has the same size
    (docs/calibration.md); this one has an interval, too.

    Args:
        matrix: `cells.matrix`, train sets and test specialties in the same order.
        noise: `cells.noise` of the same; None: all cells are taken to have as much.
        least: `effect_tables.least_of_cells`: a matrix of equal cells is not certain of what it says.
    """
    t = len(matrix)
    df = (t - 1) ** 2 - 1
    if df < 1:
        return NONE
    value = float(np.trace(centred(matrix))) / (t - 1)
    own, by = np.eye(t) - 1 / t, 1 / df / (t - 1)
    squares = float(((centred(matrix) - value * own) ** 2).sum())
    parts = [Part(max(by * squares, least / (t - 1)), df)]
    if noise is not None:
        parts.append(Part(noise.unseen(own.ravel() / (t - 1), _left(t), by), noise.questions - 1))
    return Estimate(value, tuple(parts))


@cache
def _left(t: int) -> Floats:
    """(T * T, T * T): what rows, columns and the own specialty leave of a matrix, and its sum of squares."""
    centre = np.eye(t) - 1 / t
    return np.asarray(np.kron(centre, centre) - np.outer(centre, centre) / (t - 1))


def knowledge_of(matrix: Floats, own: int, noise: Noise | None = None, least: float = 0.0) -> Estimate:
    """The same for one specialty: how its own adapter stands out among the adapters tested on it.

    Each adapter's change on the specialty is taken against its mean change elsewhere (columns centred, its own
    specialty left out), and the own adapter's is compared with what one more of the others would be expected to be.
    """
    t = len(matrix)
    if t < 4:
        return NONE
    stands = _stands(matrix, own)
    others = np.delete(stands, own)
    value, times = float(stands[own] - others.mean()), 1 + 1 / (t - 1)
    parts = [Part(max(float(others.var(ddof=1)), least) * times, t - 2)]
    if noise is not None:
        parts.append(Part(noise.unseen(*_of_one(t, own), times / (t - 2)), noise.questions - 1))
    return Estimate(value, tuple(parts))


@cache
def _of_one(t: int, own: int) -> tuple[Floats, Floats]:
    """(T * T,) how one own adapter stands out, by cell; (T * T, T * T) sum of squares of how the others differ."""
    by_cell = _stands(np.eye(t * t).reshape(t * t, t, t), own).T
    rest = np.delete(by_cell, own, axis=0)
    residuals = rest - rest.mean(axis=0)
    return by_cell[own] - rest.mean(axis=0), residuals.T @ residuals


def _stands(matrix: Floats, own: int) -> Floats:
    """(..., train sets): change on one specialty beyond that elsewhere, of (..., train sets, test specialties)."""
    off = np.where(np.eye(matrix.shape[-1], dtype=bool), np.nan, matrix)
    elsewhere = np.delete(off - np.nanmean(off, axis=-2, keepdims=True), own, axis=-1)
    return np.asarray(matrix[..., own] - np.nanmean(elsewhere, axis=-1))


def over_models(each: Sequence[Estimate], averaged: Estimate) -> Estimate:
    """The mean over models, which are a sample of all models: their differences are its error.

    Hartung & Knapp 2001 (Statistics in Medicine 20:3875) with equal weights, for all models answer the same questions:
    Student's interval of the models' estimates, which is right for any variance between models and any number of them.
    It takes models for independent, but they share test questions and train sets. What these have in common is the
    variance of the averaged answers beyond what independent models would have; it is added. A part of the averaged
    variance that is known by fewer degrees of freedom than there are models (the luck of three train sets, under
    eight models) is added whole instead, and what is a model's own in it is taken off the variance between models: a
    difference is only worth what the lesser known of its two sides is.

    Args:
        each: The effect under each model.
        averaged: The effect of the answers averaged over the models, its parts as those of each.
    """
    k = len(each)
    if k < 2 or not all(np.isfinite(e.se) for e in (*each, averaged)):
        return NONE
    between, parts = float(np.var([e.value for e in each], ddof=1)) / k, []
    for i, (variance, df) in enumerate(averaged.parts):
        own = max(float(np.mean([e.parts[i].variance for e in each])) - variance, 0.0) / (k - 1)
        if df < k - 1:
            between -= own
            parts.append(Part(variance, df))
        else:
            parts.append(Part(max(variance - own, 0.0), df))
    parts.append(Part(max(between, 0.0), k - 1))
    if sum(part.variance for part in parts) <= _ROUNDING:
        # Models that are equal to the last answer, by luck, are not certain for it.
        parts = [Part(part.variance, min(part.df, k - 1)) for part in averaged.parts]
    return Estimate(float(np.mean([e.value for e in each])), tuple(parts))


def adapter_variance(adapters: Floats) -> float:
    """How much adapters of one train set differ from seed to seed in accuracy, beyond the noise of questions.

    Args:
        adapters: (train sets, seeds, questions) of right answers.

    Returns:
        A variance; NaN with one seed, 0 where seeds differ no more than single answers do.
    """
    seeds, questions = adapters.shape[1:]
    if seeds < 2:
        return nan
    apart = adapters - adapters.mean(axis=1, keepdims=True)
    between = apart.mean(axis=2).var(axis=1, ddof=1)
    within = (apart**2).sum(axis=1).mean(axis=1) / (seeds - 1)
    return max(0.0, float((between - within / questions).mean()))


@dataclass(frozen=True)
class AgainstBest:
    """The own adapter against the best of the others on one specialty.

    Attributes:
        best: The other adapter with the highest accuracy.
        difference: Own accuracy minus that one's.
        low, high: Simultaneous bounds of own minus the best of the others, whichever that truly is.
        answer: `better`, `not better by more than the margin` or `undecided`.
        p: One-sided, of the own adapter being no better than the best of the others; below 1 - confidence where it is
            `better`.
        detectable: How far ahead of all others the own adapter would have to be to be found with 80%.
    """

    best: str
    difference: float
    low: float
    high: float
    answer: str
    p: float
    detectable: float


BETTER, NOT_BETTER, UNDECIDED = "better", "not better by more than the margin", "undecided"


def against_best(
    right: Floats,
    own: int,
    names: Sequence[str],
    seed_variance: float,
    margin: float,
    confidence: float,
    rng: np.random.Generator,
) -> AgainstBest:
    """Multiple comparisons with the best (Hsu 1984, Annals of Statistics 12:1136), on the same questions.

    Errors of own minus other are clustered by question, with a component for the luck of the seeds; the critical value
    holds for all others at once (the maximum of correlated t variables, simulated). ``low = min(d - c se)`` and
    ``high = min(d + c se)`` bound the smallest of the true differences.

    Args:
        right: (train sets, seeds, questions) of right answers to the specialty's questions.
        own: Row of the own adapter.
        names: Of the rows.
        seed_variance: `adapter_variance`; NaN with one seed: then conditional on these adapters.
        margin: A smaller lead does not matter.
        confidence: Of the bounds, each one-sided.
        rng: Draws the critical value.
    """
    mean = right.mean(axis=1)
    others = np.delete(np.arange(len(mean)), own)
    apart = mean[own] - mean[others]
    n = apart.shape[1]
    difference = apart.mean(axis=1)
    luck = 0.0 if np.isnan(seed_variance) else seed_variance / right.shape[1]
    # The own adapter's luck is in each of the differences; a half of one answer keeps equal answers from being certain.
    covariance = np.atleast_2d(np.cov(apart)) / max(n, 1) if n > 1 else np.full((len(others),) * 2, inf)
    covariance = covariance + luck * (1 + np.eye(len(others))) + np.eye(len(others)) * 0.5 / max(n, 1) ** 2
    se = np.sqrt(np.diag(covariance))
    if not np.isfinite(se).all():
        return AgainstBest(names[others[difference.argmin()]], float(difference.min()), nan, nan, UNDECIDED, nan, nan)
    joint = _joint(covariance / np.outer(se, se), n - 1, rng)
    largest = joint.max(axis=1)
    critical = float(np.quantile(largest, confidence))
    p = max(float((largest >= (difference / se).min()).mean()), 1 / len(largest))
    low, high = float((difference - critical * se).min()), float((difference + critical * se).min())
    answer = BETTER if low > 0 else NOT_BETTER if high < margin else UNDECIDED
    # The lead at which all lower bounds are above zero with 80%, not the one that is lowest on average.
    needed = float(np.quantile((se * (critical - joint)).max(axis=1), POWER))
    best = int(difference.argmin())
    return AgainstBest(names[others[best]], float(difference[best]), low, high, answer, p, needed)


def _joint(correlation: Floats, df: int, rng: np.random.Generator, draws: int = 4000) -> Floats:
    """(draws, others) t variables of this correlation."""
    normal = rng.multivariate_normal(np.zeros(len(correlation)), correlation, size=draws, method="eigh")
    return np.asarray(normal / np.sqrt(rng.chisquare(df, size=(draws, 1)) / df))
