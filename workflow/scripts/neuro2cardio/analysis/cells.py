"""The matrix of train sets x test specialties, and how much each of its cells owes to the questions that were asked."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.adapters import Axes
from ..questions.test_set import TestSet
from .transfer import Scores

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """What questions do to the cells.

    Attributes:
        covariance: (T * T, T * T) of the cells, row by row, over samples of questions.
        questions: How many there are.
    """

    covariance: Floats
    questions: int

    def unseen(self, contrast: Floats, squares: Floats, by: float) -> float:
        """The part of a contrast's variance over questions that residuals of the matrix do not show; never negative.

        Residuals tell the error of all cells alike. Where own adapters change more answers than others do, or a
        question stands in several cells, the diagonal has more than its share.

        Args:
            contrast: (T * T,) weights of cells.
            squares: (T * T, T * T) quadratic form of the cells that is the sum of squared residuals.
            by: The contrast's variance by that sum.
        """
        return max(float(contrast @ self.covariance @ contrast) - by * float((squares * self.covariance).sum()), 0.0)


def matrix(block: Scores, axes: Axes, test_set: TestSet) -> Floats:
    """(train sets, test specialties) mean of right answers beyond those of a question's other specialties' adapters.

    Specialties alone, seeds pooled. A question of several specialties counts for the own adapter of each, and for none
    of them as another's: to call an own adapter another's would make the advantage of the own one too small.
    """
    return np.stack([(weight * beyond).sum(axis=1) for _, weight, beyond in _columns(block, axes, test_set)], axis=1)


def noise(block: Scores, axes: Axes, test_set: TestSet) -> Noise:
    """What questions do to `matrix`, estimated from how right answers differ from question to question.

    Linear in single questions, with each cell's variance unbiased. What all adapters have in common on a question
    cancels in every contrast that is made of the cells.
    """
    each, members = [], []
    for held, weight, beyond in _columns(block, axes, test_set):
        n = (weight > 0).sum(axis=1, keepdims=True)
        apart = beyond - (weight * beyond).sum(axis=1, keepdims=True)
        each.append(weight * apart * np.sqrt(n / np.maximum(n - 1, 1)))
        members.append(held)
    t, of = len(each), np.array(members)
    covariance = np.zeros((t, t, t, t))
    for one, other in np.argwhere(of.astype(float) @ of.T):
        both = of[one] & of[other]
        covariance[:, one, :, other] = each[one][:, both[of[one]]] @ each[other][:, both[of[other]]].T
    return Noise(covariance.reshape(t * t, t * t), of.shape[1])


def _columns(block: Scores, axes: Axes, test_set: TestSet) -> Iterator[tuple[NDArray[np.bool_], Floats, Floats]]:
    """Of each test specialty: its questions among all, and (train sets, its questions) weights and what they weigh."""
    right = block.adapters[axes.specialty_rows].mean(axis=1)
    held = np.array([test_set.members[name] for name in axes.specialties])
    others = ~held
    # A question of all specialties has no other adapter, and says nothing of the own ones.
    asked = others.any(axis=0) if len(held) > 1 else np.ones(held.shape[1], dtype=bool)
    right, held, others = right[:, asked], held[:, asked], others[:, asked]
    beyond = right - (right * others).sum(axis=0) / np.maximum(others.sum(axis=0), 1)
    for members in held:
        # Own adapters, and pairs of specialties of which one has no question without the other, count on all of them.
        counts = others[:, members].astype(float)
        counts[counts.sum(axis=1) == 0] = 1
        with np.errstate(invalid="ignore", divide="ignore"):
            yield members, counts / counts.sum(axis=1, keepdims=True), beyond[:, members]
