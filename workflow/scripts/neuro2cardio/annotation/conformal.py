"""Several specialties a question by split conformal prediction: sets with a guaranteed share of hits.

The score of a label is one minus its probability (Sadinle, Lei and Wasserman 2019, doi:10.1080/01621459.2017.1395341).
A question's score is that of its primary specialty, or, for whole label sets, the worst of its specialties: a set that
reaches the worst holds them all. With n calibration scores and level 1 - a, the threshold is the
ceil((n + 1)(1 - a))-th smallest score (split conformal prediction; Angelopoulos and Bates 2023,
doi:10.1561/2200000101): for questions exchangeable with those calibrated on, the set holds what it shall hold with
probability 1 - a or more, however poor the annotator is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from scipy.stats import betabinom
from sklearn.metrics import f1_score

from ..analysis.resampling import wilson
from ..config.annotation import Conformal
from ..core.errors import InputError
from ..core.provenance import text_digest
from ..core.specialties import SPECIALTIES

Target = Literal["primary", "all"]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SETS = pa.schema(
    {
        "question_id": pa.string(),
        "part": pa.string(),
        "labels": pa.list_(pa.string()),
        "probabilities": pa.list_(pa.float64()),
    }
)
"""One row a question: the labels of its set, most probable first, of the specialties that are released. `part`:
`calibration`, `evaluation`, or empty where the truth is not known."""

EVIDENCE = [
    *["specialty", "n", "coverage", "coverage_low", "coverage_high", "lowest_expected"],
    *["size", "median_size", "empty", "f1"],
]
"""Coverage with its interval, and the value below which chance alone takes it once in forty calibrations; mean and
median size, share of empty sets, and F1 of sets against true specialties."""


def matrix(votes: pd.DataFrame, names: Sequence[str] = SPECIALTIES) -> Floats:
    """Label probabilities (questions x specialties) from the columns `labels` and `probabilities` of votes."""
    column = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(votes), len(names)))
    for row, (labels, probabilities) in enumerate(zip(votes["labels"], votes["probabilities"], strict=True)):
        for label, probability in zip(labels, probabilities, strict=True):
            if label in column:
                table[row, column[label]] = probability
    return table


def members(truth: Sequence[Sequence[str]], target: Target, names: Sequence[str] = SPECIALTIES) -> Bools:
    """What each set shall hold (questions x specialties): the first specialty of each row, or all of them."""
    wanted = [[row[0]] if target == "primary" else row for row in truth]
    return np.array([[name in row for name in names] for row in wanted], bool).reshape(-1, len(names))


def quantile(scores: Floats, level: float) -> float:
    """The finite-sample corrected quantile of calibration scores (one-dimensional, any order).

    Raises `InputError` where there are too few scores for the level, naming the highest level they reach.
    """
    n = len(scores)
    rank = _rank(n, level)
    if rank > n:
        raise InputError(
            f"{n} questions are too few to calibrate a level of {level:g}: they reach {n}/{n + 1} = {n / (n + 1):.4f}, "
            f"no error below {1 / (n + 1):.4f}; label at least {smallest_calibration(level)}, or ask for less"
        )
    return float(np.partition(scores, rank - 1)[rank - 1])


def smallest_calibration(level: float) -> int:
    """The fewest questions that a level can be calibrated on: the smallest n with (n + 1) * level <= n."""
    n = max(1, math.floor(level / (1 - level)))
    return next(m for m in range(max(1, n - 1), n + 3) if _rank(m, level) <= m)


def _rank(n: int, level: float) -> int:
    """ceil((n + 1) * level), not thrown off by the last bit of a product such as 10 * 0.9."""
    return math.ceil(round((n + 1) * level, 9))


@dataclass(frozen=True)
class Thresholds:
    """A score for each label; a label belongs to the set where its own score is not above it.

    One value for all labels, unless it is by specialty. Infinity takes the label into every set: that keeps the
    guarantee where a specialty has too few calibration questions to say more.
    """

    level: float
    target: Target
    values: Floats
    n: npt.NDArray[np.int64]
    by_specialty: bool = False

    def sets(self, probabilities: Floats) -> Bools:
        """The set of each question (questions x specialties), from its label probabilities."""
        return (1 - probabilities) <= self.values + 1e-12


def calibrate(
    probabilities: Floats, wanted: Bools, level: float, target: Target, by_specialty: bool = False
) -> Thresholds:
    """Thresholds from calibration questions: label probabilities and the labels wanted in sets (n x specialties each).

    By specialty (class-conditional), each label is calibrated on the questions that have it, so that the level holds
    within each specialty. A question of several labels wants all of them, and misses any as often as the expected
    number of missed labels at most; so labels leave ``(1 - level) / (mean labels of a question)`` out each, and whole
    sets keep the level. Raises `InputError` where all questions are too few.
    """
    scores = 1 - probabilities
    overall = np.where(wanted, scores, -np.inf).max(axis=1)
    if not by_specialty:
        value = quantile(overall, level)
        n_labels = scores.shape[1]
        return Thresholds(level, target, np.full(n_labels, value), np.full(n_labels, len(scores)))
    quantile(overall, level)
    counts = wanted.sum(axis=0)
    each = 1 - (1 - level) / max(1.0, counts.sum() / len(wanted))
    values = [
        quantile(scores[wanted[:, i], i], each) if _rank(int(n), each) <= n else np.inf for i, n in enumerate(counts)
    ]
    return Thresholds(level, target, np.array(values), counts, by_specialty=True)


def evaluate(
    thresholds: Thresholds,
    probabilities: Floats,
    truth: Sequence[Sequence[str]],
    names: Sequence[str] = SPECIALTIES,
) -> pd.DataFrame:
    """Coverage, set size and F1 on questions that were not calibrated on, over all and by primary specialty.

    ``coverage`` is the share of sets that hold all they shall hold, with Wilson's 95% interval. Given the calibration,
    it is not the level itself but varies around it; ``lowest_expected`` is the 2.5% quantile of its beta-binomial
    distribution (Angelopoulos and Bates 2023, section 3). ``f1`` is that of each set against the question's
    specialties, averaged over questions.
    """
    sets, wanted = thresholds.sets(probabilities), members(truth, thresholds.target, names)
    every = members(truth, "all", names)
    held = np.all(sets | ~wanted, axis=1)
    primary = np.array([row[0] for row in truth])
    rows = []
    for name in ("all", *names):
        chosen = np.ones(len(primary), bool) if name == "all" else primary == name
        if n := int(chosen.sum()):
            hits = int(held[chosen].sum())
            low, high = wilson(hits / n, n, confidence=0.95)
            f1 = f1_score(every[chosen], sets[chosen], average="samples", zero_division=0)
            sizes = sets[chosen].sum(axis=1)
            lowest = _lowest_expected(thresholds, n) if name == "all" else np.nan
            quality = sizes.mean(), np.median(sizes), float((sizes == 0).mean()), f1
            rows.append((name, n, hits / n, low, high, lowest, *quality))
    return pd.DataFrame(rows, columns=EVIDENCE)


def _lowest_expected(thresholds: Thresholds, n: int) -> float:
    """For one threshold over all labels; thresholds by specialty mix several such distributions, and have none."""
    calibrated = int(thresholds.n[0])
    # Thresholds of specialties may be equal by chance, and are several all the same.
    if thresholds.by_specialty:
        return float("nan")
    rank = _rank(calibrated, thresholds.level)
    return float(betabinom.ppf(0.025, n, rank, calibrated + 1 - rank)) / n


def halves(question_ids: Sequence[str], calibration: float) -> Bools:
    """Which questions to calibrate on, by a digest of their ids alone: the same whatever else is in the table.

    Not by the ids themselves: these order the splits of the grid and the first questions of `max_questions`.
    """
    digests = [text_digest("calibration", question_id) for question_id in question_ids]
    return np.array([int(digest, 16) / 16 ** len(digest) < calibration for digest in digests], bool)


def label_sets(
    votes: pd.DataFrame,
    truth: Mapping[str, Sequence[str]],
    settings: Conformal,
    names: Sequence[str] = SPECIALTIES,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The set of every question (columns of `SETS`), and what the sets are worth (`evaluate`).

    Half or so of the questions with a known truth calibrate, the others evaluate; nothing is measured on what was
    calibrated on. Without any truth there is nothing to calibrate on: sets hold the winner alone, and the second table
    is empty. ``names`` are the specialties that are released. Raises `InputError` where the known questions are too few
    for the level.
    """
    ids, probabilities = votes["question_id"].tolist(), matrix(votes, names)
    if not truth:
        alone = members([[winner] for winner in votes["winner"]], "primary", names)
        return as_table(votes, alone, {}, names), pd.DataFrame(columns=EVIDENCE)
    known = np.array([i in truth for i in ids])
    first = halves(ids, settings.calibration)
    labels = {part: [truth[i] for i, m in zip(ids, mask, strict=True) if m] for part, mask in _parts(known, first)}
    thresholds = calibrate(
        probabilities[known & first],
        members(labels["calibration"], settings.target, names),
        settings.level,
        settings.target,
        settings.by_specialty,
    )
    parts = {i: part for part, mask in _parts(known, first) for i, m in zip(ids, mask, strict=True) if m}
    evidence = evaluate(thresholds, probabilities[known & ~first], labels["evaluation"], names)
    return as_table(votes, thresholds.sets(probabilities), parts, names), evidence


def _parts(known: Bools, first: Bools) -> list[tuple[str, Bools]]:
    return [("calibration", known & first), ("evaluation", known & ~first)]


def as_table(
    votes: pd.DataFrame, sets: Bools, parts: Mapping[str, str], names: Sequence[str] = SPECIALTIES
) -> pd.DataFrame:
    """Sets by question (columns of `SETS`), labels most probable first."""
    probabilities = matrix(votes, names)
    rows = []
    for question_id, row, held in zip(votes["question_id"], probabilities, sets, strict=True):
        order = sorted(np.flatnonzero(held), key=lambda i: (-row[i], i))
        labels, shares = [names[int(i)] for i in order], [float(row[i]) for i in order]
        rows.append((question_id, parts.get(question_id, ""), labels, shares))
    return pd.DataFrame(rows, columns=SETS.names)
