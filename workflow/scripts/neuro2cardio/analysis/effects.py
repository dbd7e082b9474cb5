"""What a change against base is made of: common gain, train set, test specialty, and what the own adapter adds.

Inference is over train sets, not conditional on the adapters that happened to be trained: train sets differ in quality,
and adapters from seed to seed, and neither may pass for specialty knowledge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..core.adapters import FEW_SHOT, Axes
from ..questions.test_set import TestSet
from .transfer import Scores

Floats = NDArray[np.float64]

POWER = 0.8
"""With which an effect is to be found, where the smallest detectable one is named."""


@dataclass(frozen=True)
class Estimate:
    """An effect as a share of questions, with a standard error and the degrees of freedom of its t distribution.

    Interval and p come from the same distribution: the interval excludes zero exactly where p is below 1 - confidence.
    """

    value: float
    se: float
    df: float

    def interval(self, confidence: float) -> tuple[float, float]:
        """Bounds of the central interval; NaN without degrees of freedom."""
        if not self.df > 0 or not np.isfinite(self.se):
            return nan, nan
        half = float(stats.t.ppf((1 + confidence) / 2, self.df)) * self.se
        return self.value - half, self.value + half

    @property
    def p(self) -> float:
        """Two-sided p of no effect."""
        if not self.df > 0 or not np.isfinite(self.se):
            return nan
        if self.se == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.value) / self.se, self.df))

    def detectable(self, confidence: float) -> float:
        """The smallest effect that such a test finds with 80%."""
        if not self.df > 0 or not np.isfinite(self.se):
            return nan
        quantiles = stats.t.ppf([(1 + confidence) / 2, POWER], self.df)
        return float(quantiles.sum()) * self.se


NONE = Estimate(nan, nan, nan)


def common_gain(block: Scores, axes: Axes) -> Estimate:
    """Mean change against base over all test questions, of the specialties' adapters.

    The error is clustered by question and by train set (Cameron, Gelbach & Miller 2011, JBES 29:238, equation 2.11),
    with Satterthwaite's degrees of freedom: adapters of one train set share its luck, answers to one question theirs.
    """
    return two_way(block.adapters[axes.specialty_rows].mean(axis=1) - block.base)


def reference(block: Scores, axes: Axes, control: str) -> Floats:
    """(questions,) share of seeds that are right: of a control's adapters, or of the base model after examples."""
    if control == FEW_SHOT and block.few_shot is not None:
        return block.few_shot
    return np.asarray(block.adapters[axes.train_set.index(control)].mean(axis=0))


def gain_beyond(block: Scores, axes: Axes, control: str) -> Estimate:
    """Mean accuracy of the specialties' adapters minus that of a control, on the same questions.

    A control has one train set, and its luck is in all of the difference: it is taken to be as large as that of the
    specialties' train sets, by how much these differ. Base rows are not trained, and have none.
    """
    right = block.adapters[axes.specialty_rows].mean(axis=1)
    return two_way(right - reference(block, axes, control), further=0 if control == FEW_SHOT else 1)


def gain_of(block: Scores, axes: Axes, control: str) -> Estimate:
    """Mean change of one control against base, clustered by question, with the luck of a train set as above."""
    change = reference(block, axes, control) - block.base
    n = len(change)
    value, by_question = float(change.mean()), float(change.var(ddof=1)) / n
    if control == FEW_SHOT or len(axes.specialties) < 2:
        return Estimate(value, sqrt(by_question), n - 1)
    by_row, luck = _luck(block.adapters[axes.specialty_rows].mean(axis=1) - block.base)
    rows = len(axes.specialties)
    return Estimate(value, sqrt(by_question + rows * luck), _df(by_question, n - 1, rows * by_row, rows - 1))


def two_way(values: Floats, further: int = 0) -> Estimate:
    """Mean of (train sets, questions), its error clustered by both.

    Args:
        values: (train sets, questions).
        further: So many train sets more, each with as much luck as one of these, are in every value.
    """
    rows, columns = values.shape
    mean = float(values.mean())
    apart = values - mean
    total = rows * columns
    by_question = float((apart.sum(axis=0) ** 2).sum()) / total**2 * columns / max(columns - 1, 1)
    if rows < 2:
        return Estimate(mean, sqrt(by_question), columns - 1)
    by_row, luck = _luck(values)
    times = 1 + further * rows
    variance = by_question + times * luck
    if variance == 0:
        return Estimate(mean, 0.0, columns - 1)
    return Estimate(mean, sqrt(variance), _df(by_question, columns - 1, times * by_row, rows - 1))


def _luck(values: Floats) -> tuple[float, float]:
    """Variance of the mean of (train sets, questions) by train sets: as it is, and beyond what it owes to questions."""
    rows, columns = values.shape
    apart = values - values.mean()
    total = rows * columns
    by_row = float((apart.sum(axis=1) ** 2).sum()) / total**2 * rows / (rows - 1)
    return by_row, max(by_row - float((apart**2).sum()) / total**2, 0.0)


def _df(by_question: float, of_questions: int, by_row: float, of_rows: int) -> float:
    """Satterthwaite's degrees of freedom of a variance by questions and by train sets.

    By the variances before the subtraction: what is left between train sets is known no better than before it.
    """
    if by_row + by_question == 0:
        return of_questions
    share = by_row / (by_row + by_question)
    return 1 / ((1 - share) ** 2 / of_questions + share**2 / of_rows)


def cells(block: Scores, axes: Axes, exam: TestSet) -> Floats:
    """(train sets, test specialties) mean of right answers beyond those of a question's other specialties' adapters.

    Specialties alone, seeds pooled. A question of several specialties counts for the own adapter of each, and for none
    of them as another's: to call an own adapter another's would make the advantage of the own one too small.
    """
    right = block.adapters[axes.specialty_rows].mean(axis=1)
    held = np.array([exam.members[name] for name in axes.specialties])
    others = ~held
    # A question of all specialties has no other adapter, and says nothing of the own ones.
    asked = others.any(axis=0) if len(held) > 1 else np.ones(held.shape[1], dtype=bool)
    right, held, others = right[:, asked], held[:, asked], others[:, asked]
    beyond = right - (right * others).sum(axis=0) / np.maximum(others.sum(axis=0), 1)
    apart = others.astype(float) @ held.T
    # Own adapters, and pairs of specialties of which one has no question without the other, count on all of them.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(apart > 0, (beyond * others) @ held.T / apart, beyond @ held.T / held.sum(axis=1))


def centred(matrix: Floats) -> Floats:
    """A matrix without its row and column means: what neither train set nor test specialty explains."""
    return np.asarray(matrix - matrix.mean(axis=0) - matrix.mean(axis=1)[:, None] + matrix.mean())


def specialty_knowledge(matrix: Floats) -> Estimate:
    """What an adapter adds on its own specialty, beyond common gain, train set and test specialty.

    The least-squares coefficient of "own specialty" beside effects of rows and columns, with the error of what is left
    of the matrix: interactions of train sets with test specialties, of adapters from seed to seed, and of questions.
    Where train sets are permuted against specialties instead (Hubert & Schultz 1976, Br. J. Math. Stat. Psychol.
    29:190), the same statistic has the same size (docs/calibration.md); this one has an interval, too.

    Args:
        matrix: `cells`, train sets and test specialties in the same order.
    """
    t = len(matrix)
    df = (t - 1) ** 2 - 1
    if df < 1:
        return NONE
    left = centred(matrix)
    value = float(np.trace(left)) / (t - 1)
    residual = left - value * (np.eye(t) - 1 / t)
    return Estimate(value, sqrt(float((residual**2).sum()) / df / (t - 1)), df)


def knowledge_of(matrix: Floats, own: int) -> Estimate:
    """The same for one specialty: how its own adapter stands out among the adapters tested on it.

    Each adapter's change on the specialty is taken against its mean change elsewhere (columns centred, its own
    specialty left out), and the own adapter's is compared with what one more of the others would be expected to be.
    """
    t = len(matrix)
    if t < 4:
        return NONE
    off = np.where(np.eye(t, dtype=bool), np.nan, matrix)
    elsewhere = np.delete(off - np.nanmean(off, axis=0), own, axis=1)
    stands = matrix[:, own] - np.nanmean(elsewhere, axis=1)
    others = np.delete(stands, own)
    value = float(stands[own] - others.mean())
    return Estimate(value, float(others.std(ddof=1)) * sqrt(1 + 1 / (t - 1)), t - 2)


def over_models(estimates: Sequence[Estimate]) -> Estimate:
    """The mean over models, which are a sample of all models: their differences are its error.

    Hartung & Knapp 2001 (Statistics in Medicine 20:3875) with DerSimonian & Laird's variance between models.
    """
    known = [e for e in estimates if np.isfinite(e.se) and e.se > 0]
    if len(known) < 2:
        return NONE
    values, within = np.array([e.value for e in known]), np.array([e.se**2 for e in known])
    weights = 1 / within
    fixed = float((weights * values).sum() / weights.sum())
    q = float((weights * (values - fixed) ** 2).sum())
    spread = float(weights.sum() - (weights**2).sum() / weights.sum())
    between = max(0.0, (q - len(known) + 1) / spread)
    weights = 1 / (within + between)
    mean = float((weights * values).sum() / weights.sum())
    scatter = float((weights * (values - mean) ** 2).sum()) / (len(known) - 1)
    # Never narrower than without the correction (Rover, Knapp & Friede 2015, BMC Med. Res. Methodol. 15:99).
    return Estimate(mean, sqrt(max(scatter, 1.0) / float(weights.sum())), len(known) - 1)


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
        detectable: How far ahead of all others the own adapter would have to be to be found with 80%.
    """

    best: str
    difference: float
    low: float
    high: float
    answer: str
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
        return AgainstBest(names[others[difference.argmin()]], float(difference.min()), nan, nan, UNDECIDED, nan)
    joint = _joint(covariance / np.outer(se, se), n - 1, rng)
    critical = float(np.quantile(joint.max(axis=1), confidence))
    low, high = float((difference - critical * se).min()), float((difference + critical * se).min())
    answer = BETTER if low > 0 else NOT_BETTER if high < margin else UNDECIDED
    # The lead at which all lower bounds are above zero with 80%, not the one that is lowest on average.
    needed = float(np.quantile((se * (critical - joint)).max(axis=1), POWER))
    best = int(difference.argmin())
    return AgainstBest(names[others[best]], float(difference[best]), low, high, answer, needed)


def _joint(correlation: Floats, df: int, rng: np.random.Generator, draws: int = 4000) -> Floats:
    """(draws, others) t variables of this correlation."""
    normal = rng.multivariate_normal(np.zeros(len(correlation)), correlation, size=draws, method="eigh")
    return np.asarray(normal / np.sqrt(rng.chisquare(df, size=(draws, 1)) / df))
