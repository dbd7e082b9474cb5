"""Weighted means and differences over mentions, with errors clustered by question and by word.

Mentions of one question share its text, and mentions of one word share whatever fine-tuning does to that word, so that
neither are independent of each other. Two-way clustered variances (Cameron, Gelbach & Miller 2011, Journal of Business
& Economic Statistics 29:238) take both into account: that of questions plus that of words minus that of their
intersections.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import t

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MIN_QUESTIONS = 10
MIN_WORDS = 5
"""Fewer questions or distinct words have no interval and no p."""
_TINY = float(np.finfo(float).tiny)
_LEAST_KEPT = 0.05
_ROUNDING = 1e-7
"""Standard errors (nats) up to this are rounding of equal values."""


@dataclass(frozen=True)
class ClusteredEstimates:
    """Estimates of cells, one array entry a cell.

    Attributes:
        shift: The contrast, NaN where there are no observations.
        low: Lower bound, NaN where there are too few clusters or all observations of each side are equal.
        high: Upper bound, likewise.
        p: Two-sided p of zero, likewise; below 1 - confidence exactly where the interval excludes zero.
        all_equal: Whether all observations of each side are equal, so that there is no error to go by.
    """

    shift: Floats
    low: Floats
    high: Floats
    p: Floats
    all_equal: NDArray[np.bool_]


@dataclass(frozen=True)
class Contrast:
    """A linear function of observations: the mean of one part, or the mean of one side minus that of another.

    Attributes:
        at: (observations,) where each stands in the flattened values.
        weight: (observations,) its weight, negative for what is subtracted; each side's weights sum to 1 in size.
        part: (observations,) which mean its error is taken from: the one of its part, and of its train set.
        question: (observations,) its question.
        word: (observations,) its word.
        spread: How errors add up to those of questions, of words and of both, leverage corrected; each (clusters,
            observations).
        freedom: Degrees of freedom of the questions' and of the words' variance.
        covariate: (observations,) what the contrast is taken at equal values of; empty: nothing.
        slope: (observations,) weights that give the slope of the values on the covariate; empty likewise.
    """

    at: Integers
    weight: Floats
    part: Integers
    question: Integers
    word: Integers
    spread: tuple[csr_array, csr_array, csr_array]
    freedom: tuple[float, float]
    covariate: Floats
    slope: Floats

    @classmethod
    def of(cls, at: Integers, weight: Floats, part: Integers, question: Integers, word: Integers) -> "Contrast":
        """Lay out a contrast; all arrays are (observations,)."""
        _, question = np.unique(question, return_inverse=True)
        _, word = np.unique(word, return_inverse=True)
        spread, freedom = _spread(weight, part, question, word)
        none = np.empty(0)
        return cls(at, weight, part, question, word, spread, freedom, none, none)

    @property
    def n_questions(self) -> int:
        """Distinct questions."""
        return int(self.question.max(initial=-1)) + 1

    @property
    def n_words(self) -> int:
        """Distinct words."""
        return int(self.word.max(initial=-1)) + 1

    def at_equal(self, covariate: Floats) -> "Contrast":
        """The same difference where both sides have the same covariate: the intercept of a regression over questions.

        A question's difference is regressed on its difference in the covariate (ordinary least squares).

        Args:
            covariate: (observations,).
        """
        if not len(self.at):
            return self
        apart = np.bincount(self.question, self.weight * covariate) * self.n_questions
        centred = apart - apart.mean()
        variance = max(float((centred**2).mean()), _TINY)
        slope = self.weight * (centred / variance)[self.question]
        weight = self.weight - apart.mean() * slope
        spread, freedom = _spread(weight, self.part, self.question, self.word)
        return replace(self, weight=weight, spread=spread, freedom=freedom, covariate=covariate, slope=slope)

    def estimate(self, values: NDArray[np.floating], confidence: float) -> ClusteredEstimates:
        """Estimates, intervals and tests of cells.

        Errors are taken from the mean of their part, and each cluster's sum is corrected so that its variance is
        unbiased where clusters have effects of their own, as Bell & McCaffrey 2002 do (Survey Methodology 28:169). The
        two-way variance is not allowed to be smaller than either one-way variance. Quantiles are Student's; degrees of
        freedom are Bell & McCaffrey's for each way, joined by Satterthwaite's rule.

        Args:
            values: (observations, cells).
            confidence: Of the intervals.
        """
        if not len(self.at):
            nothing = np.full(values.shape[1], np.nan)
            return ClusteredEstimates(nothing, nothing, nothing, nothing, np.zeros(values.shape[1], dtype=bool))
        values = values.astype(float)
        if len(self.slope):
            shift = self.weight @ values
            values -= self.covariate[:, None] * (self.slope @ values)
        centres = self._centres(values)
        if not len(self.slope):
            shift = np.bincount(self.part, self.weight) @ centres
        values -= centres[self.part] if len(centres) > 1 else centres[0]
        by_question, by_word, by_both = (_variance(map_ @ values) for map_ in self.spread)
        extra = np.maximum(by_word - by_both, 0)
        variance = np.maximum(by_question + extra, by_word)
        all_equal = (variance <= (_ROUNDING * np.maximum(1, np.abs(centres).max(axis=0))) ** 2) & self._enough
        with np.errstate(divide="ignore", invalid="ignore"):
            of_words = np.maximum(extra, by_word - by_question)
            freedom = variance**2 / (by_question**2 / self.freedom[0] + of_words**2 / self.freedom[1])
            error = np.where(self._enough & ~all_equal, np.sqrt(variance), np.nan)
            half = t.ppf((1 + confidence) / 2, freedom) * error
            return ClusteredEstimates(
                shift, shift - half, shift + half, 2 * t.sf(np.abs(shift) / error, freedom), all_equal
            )

    @property
    def _enough(self) -> bool:
        return self.n_questions >= MIN_QUESTIONS and self.n_words >= MIN_WORDS and min(self.freedom) >= 1

    def _centres(self, values: NDArray[np.floating]) -> Floats:
        """(parts, cells): weighted means of the parts."""
        size = np.abs(self.weight)
        total = np.bincount(self.part, size)
        parts = csr_array((size, (self.part, np.arange(len(size)))), shape=(len(total), len(size)))
        return np.asarray((parts @ values) / np.maximum(total, _TINY)[:, None])


def _spread(
    weight: Floats, part: Integers, question: Integers, word: Integers
) -> tuple[tuple[csr_array, csr_array, csr_array], tuple[float, float]]:
    """The maps and degrees of freedom of a `Contrast`."""
    _, both = np.unique(question * (word.max(initial=0) + 1) + word, return_inverse=True)
    maps, freedom = [], []
    size = np.abs(weight)
    total = np.maximum(np.bincount(part, size), _TINY)
    parts = len(total)
    for cluster in (question, word, both):
        n = int(cluster.max(initial=-1)) + 1
        held = np.bincount(parts * cluster + part, size, minlength=parts * n).reshape(n, parts)
        share = held / total
        # The variance of a cluster's sum of errors, by that of its sum of deviations from the true mean.
        kept = np.maximum(1 - 2 * share + (share**2).sum(axis=0), _LEAST_KEPT)
        corrected = weight / np.sqrt(kept[cluster, part])
        maps.append(csr_array((corrected, (cluster, np.arange(len(weight)))), shape=(n, len(weight))))
        freedom.append(_freedom(held.sum(axis=1) / max(held.sum(), _TINY)))
    return (maps[0], maps[1], maps[2]), (freedom[0], freedom[1])


def _freedom(share: Floats) -> float:
    """Degrees of freedom of the corrected variance of a mean of independent clusters with these shares of the weight.

    Bell & McCaffrey 2002 (Survey Methodology 28:169): twice the squared mean of the variance estimate by its variance,
    which is (tr M)^2 / tr(M^2) for the estimate as a quadratic form M of the clusters' effects. Equal shares of G
    clusters give G - 1.
    """
    square = float((share**2).sum())
    kept = np.maximum(1 - 2 * share + square, _LEAST_KEPT)
    u = share**2 / kept
    of_one, of_two, of_three = (float((u * share**power).sum()) for power in range(3))
    pairs = square**2 * of_one**2 + 2 * of_three * of_one - 4 * square * of_two * of_one + 2 * of_two**2
    pairs -= float((u**2 * (square - 2 * share) ** 2).sum())
    return square**2 / max(float((share**4).sum()) + pairs, _TINY)


def _variance(sums: Floats) -> Floats:
    """(cells,): the variance from the corrected sums of clusters."""
    return np.asarray(np.einsum("gc,gc->c", sums, sums))
