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

Floats = NDArray[np.float64]

SHARES = (0.5, 0.2, 0.3)
"""Of the variance behind an answer: the question's, the train set's on that question, and one adapter's."""


@dataclass(frozen=True)
class World:
    """What is true in a simulated grid, as shares of questions.

    Attributes:
        common: What every adapter gains.
        own: What the own adapter gains beyond that.
        formats: What the control `shuffled-answers` gains.
        train_sets: Standard deviation between train sets, half of it (as a variance) the same under every model.
        adapters: Standard deviation between the seeds of a train set.
        interactions: Standard deviation between pairs of train set and test specialty, half of it likewise.
        models: Standard deviation between models in what all their adapters gain.
        models_own: Standard deviation between models in what the own adapter gains beyond that.
        base: Accuracy of the base model.
        shares: As `SHARES`. Half of the question's part is the same under every model.
    """

    common: float = 0.0
    own: float = 0.0
    formats: float = 0.0
    train_sets: float = 0.0
    adapters: float = 0.0
    interactions: float = 0.0
    models: float = 0.0
    models_own: float = 0.0
    base: float = 0.45
    shares: tuple[float, float, float] = SHARES


def axes(specialties: int, seeds: int, models: int = 1) -> Axes:
    """A grid of the first specialties, and the control `shuffled-answers`."""
    names = list(SPECIALTIES[:specialties])
    return Axes(
        model=["m"] if models == 1 else [f"m{i}" for i in range(models)],
        recipe=["r"],
        train_set=[*map(slug, names), "shuffled-answers"],
        seed=list(range(1, seeds + 1)),
        specialty=names,
    )


def test_set(
    grid: Axes, sizes: NDArray[np.int64], doubles: float = 0.0, rng: np.random.Generator | None = None
) -> TestSet:
    """So many test questions of each specialty, a share of them of a second specialty too, drawn from ``rng``."""
    of = np.repeat(np.arange(len(sizes)), sizes)
    n = len(of)
    held = of == np.arange(len(sizes))[:, None]
    if doubles and rng is not None:
        second = (of + rng.integers(1, len(sizes), n)) % len(sizes)
        held[second, np.arange(n)] |= rng.random(n) < doubles
    members = dict(zip(grid.specialties, held, strict=True))
    ids = pd.Index([f"q{i}" for i in range(n)])
    return TestSet(ids, np.zeros(n, np.int64), np.full(n, 4), members | {ALL: np.ones(n, bool)})


def scores(world: World, grid: Axes, asked: TestSet, rng: np.random.Generator) -> Scores:
    """Answers of a base model and of every adapter of the grid, for its one model."""
    return blocks(world, grid, asked, rng)[0]


def blocks(world: World, grid: Axes, asked: TestSet, rng: np.random.Generator) -> list[Scores]:
    """Answers of base models and of every adapter of the grid, one block a model.

    Right where a normal variable is below the quantile of the chance to be right; it is made of the question's, the
    train set's and the adapter's parts, so that adapters agree with each other as real ones do.
    """
    specialties, rows = len(grid.specialties), len(grid.train_set)
    held = np.array([asked.members[name] for name in grid.specialties])
    # Questions of the same specialties have the same chances.
    _, first, of = np.unique(2.0 ** np.arange(specialties) @ held, return_index=True, return_inverse=True)
    kinds, n = held[:, first], held.shape[1]
    shapes = ((n,), (rows, 1, 1), (rows, 1, specialties))
    common: list[Floats] = [rng.standard_normal(shape) for shape in shapes]
    made = []
    for model in grid.model:
        parts: list[Floats] = [
            np.sqrt(0.5) * (part + rng.standard_normal(shape)) for part, shape in zip(common, shapes, strict=True)
        ]
        gain, own = world.models * rng.standard_normal(), world.own + world.models_own * rng.standard_normal()
        chance = np.full((rows, len(grid.seed), kinds.shape[1]), world.base + world.common + gain)
        chance += world.train_sets * parts[1] + world.adapters * rng.standard_normal((rows, len(grid.seed), 1))
        chance += world.interactions * parts[2][..., kinds.argmax(axis=0)]
        chance[:specialties] += own * kinds[:, None]
        chance[specialties:] += world.formats - world.common - gain
        made.append(_answered(world, model, parts[0], chance, of, rng))
    return made


def _answered(
    world: World, model: str, question: Floats, chance: Floats, of: NDArray[np.int64], rng: np.random.Generator
) -> Scores:
    """One block: from the questions' part (questions,) and chances (train sets, seeds, kinds of questions)."""
    rows, seeds, _ = chance.shape
    quantile = norm.ppf(np.clip(chance, 0.02, 0.98)).astype(np.float32)
    by_question, by_train_set, by_adapter = np.sqrt(np.array(world.shares, dtype=np.float32))
    hard = by_question * question.astype(np.float32)
    behind = hard + by_train_set * rng.standard_normal((rows, 1, len(of)), dtype=np.float32)
    behind = behind + by_adapter * rng.standard_normal((rows, seeds, len(of)), dtype=np.float32)
    right = behind < quantile[..., of]
    base = hard + np.sqrt(1 - world.shares[0]) * rng.standard_normal(len(of)) < norm.ppf(world.base)
    return Scores(model, "r", "letter", base.astype(float), right.astype(float))
