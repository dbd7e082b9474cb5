"""Simulated grids with the nuisances of real ones, on which every printed test is calibrated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import pandas as pd
from scipy.stats import norm

from ..core.adapters import Axes
from ..core.specialties import SPECIALTIES, slug
from ..questions.test_set import ALL, TestSet
from .transfer import Scores

SHARES = (0.5, 0.2, 0.3)
"""Of the variance behind an answer: the question's, the train set's on that question, and one adapter's."""


@dataclass(frozen=True)
class World:
    """What is true in a simulated grid, as shares of questions.

    Attributes:
        common: What every adapter gains.
        own: What the own adapter gains beyond that.
        formats: What the control `shuffled-answers` gains.
        train_sets: Standard deviation between train sets.
        adapters: Standard deviation between the seeds of a train set.
        interactions: Standard deviation between pairs of train set and test specialty.
        base: Accuracy of the base model.
    """

    common: float = 0.0
    own: float = 0.0
    formats: float = 0.0
    train_sets: float = 0.0
    adapters: float = 0.0
    interactions: float = 0.0
    base: float = 0.45


def axes(specialties: int, seeds: int) -> Axes:
    """A grid of the first specialties, and the control `shuffled-answers`."""
    names = list(SPECIALTIES[:specialties])
    train_sets = [*map(slug, names), "shuffled-answers"]
    return Axes(model=["m"], recipe=["r"], train_set=train_sets, seed=list(range(1, seeds + 1)), specialty=names)


def exam(grid: Axes, sizes: NDArray[np.int64]) -> TestSet:
    """So many test questions of each specialty."""
    of = np.repeat(np.arange(len(sizes)), sizes)
    members = {name: of == i for i, name in enumerate(grid.specialties)}
    n = len(of)
    ids = pd.Index([f"q{i}" for i in range(n)])
    return TestSet(ids, np.zeros(n, np.int64), np.full(n, 4), members | {ALL: np.ones(n, bool)})


def scores(world: World, grid: Axes, asked: TestSet, rng: np.random.Generator) -> Scores:
    """Answers of a base model and of every adapter of the grid.

    Right where a normal variable is below the quantile of the chance to be right; it is made of the question's, the
    train set's and the adapter's parts, so that adapters agree with each other as real ones do.
    """
    specialties, seeds = len(grid.specialties), len(grid.seed)
    members = np.array([asked.members[name] for name in grid.specialties])
    of, n = members.argmax(axis=0), members.shape[1]
    rows = len(grid.train_set)
    chance = np.full((rows, seeds, n), world.base + world.common)
    chance += world.train_sets * rng.standard_normal((rows, 1, 1))
    chance += world.adapters * rng.standard_normal((rows, seeds, 1))
    chance += (world.interactions * rng.standard_normal((rows, specialties)))[:, None, of]
    chance[:specialties] += world.own * (np.arange(specialties)[:, None, None] == of)
    chance[specialties:] += world.formats - world.common
    question, train_set, adapter = np.sqrt(SHARES)
    hard = question * rng.standard_normal(n)
    behind = hard + train_set * rng.standard_normal((rows, 1, n)) + adapter * rng.standard_normal((rows, seeds, n))
    right = behind < norm.ppf(np.clip(chance, 0.02, 0.98))
    base = hard + np.sqrt(1 - SHARES[0]) * rng.standard_normal(n) < norm.ppf(world.base)
    return Scores("m", "r", "letter", base.astype(float), right.astype(float))
