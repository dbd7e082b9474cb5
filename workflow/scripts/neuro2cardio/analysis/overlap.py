"""What questions of several specialties do to errors: they stand in several cells, whose noise is then the same."""

import numpy as np
from numpy.typing import NDArray

from ..core.adapters import Axes
from ..questions.test_set import TestSet

Floats = NDArray[np.float64]


def covariance(axes: Axes, test_set: TestSet) -> Floats | None:
    """(T * T, T * T) covariance of `effects.cells`, row by row, if each answer of an adapter has a variance of 1.

    Independent of all others, that is; what a question has in common for all adapters cancels. None where every
    question has one specialty: the errors of `effects` are made for that.

    Args:
        axes: The grid.
        test_set: The test questions.
    """
    held = np.array([test_set.members[name] for name in axes.specialties])
    t = len(held)
    if t < 3 or (held.sum(axis=0) <= 1).all():
        return None
    held = held[:, ~held.all(axis=0)]
    _, first, n = np.unique(2.0 ** np.arange(t) @ held, return_index=True, return_counts=True)
    kind = held[:, first].astype(float)
    apart = ((1 - kind) * n) @ kind.T
    everything = (kind * n) / (kind * n).sum(axis=1, keepdims=True)
    weight = ((1 - kind) * n)[:, None] * kind / np.maximum(apart, 1)[..., None]
    weight = np.where((apart > 0)[..., None], weight, everything)
    others = (1 - kind) / (1 - kind).sum(axis=0)
    map_ = np.einsum("rs,rjk->rjsk", np.eye(t), weight) - np.einsum("rjk,sk->rjsk", weight, others)
    flat = map_.reshape(t * t, -1)
    return np.asarray((flat / np.tile(n, t)) @ flat.T)


def inflation(contrast: Floats, residuals: Floats, assumed: float, noise: Floats | None) -> float:
    """The true variance of a contrast by that which the residuals of the matrix are taken to give it.

    Args:
        contrast: (T * T,) weights of cells.
        residuals: (n, T * T) maps of cells to residuals, of which the sum of squares is taken.
        assumed: The contrast's variance by that sum.
        noise: `covariance`; None: 1.
    """
    if noise is None:
        return 1.0
    squares = float(np.einsum("ij,jk,ik->", residuals, noise, residuals))
    return float(contrast @ noise @ contrast) / (assumed * squares)
