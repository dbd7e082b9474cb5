"""Simulated grids with the nuisances of real ones, on which every printed test is calibrated."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
import pandas as pd
from scipy.stats import norm, t

from ..core.adapters import Axes
from ..core.specialties import SPECIALTIES, slug
from ..questions.test_set import ALL, TestSet
from .transfer import Scores

Floats = NDArray[np.float64]

SHARES = (0.5, 0.2, 0.3)
"""Of the variance behind an answer: the question's, the train set's on that question, and one adapter's."""


Luck = Literal["normal", "skewed", "uneven"]


@dataclass(frozen=True)
class World:
    """What is true in a simulated grid, as shares of questions.

    Attributes:
        common: What every adapter gains.
        own: What the own adapter gains beyond that, the mean over specialties.
        spread: Standard deviation between specialties in what the own adapter gains, evenly spread.
        formats: What the control `shuffled-answers` gains.
        train_sets: Standard deviation between train sets, half of it (as a variance) the same under every model.
        luck: How train sets differ: `normal`; `skewed`, most a little better than the mean and few much worse; or
            `uneven`, most hardly, and few much (Student's t of three degrees of freedom).
        adapters: Standard deviation between the seeds of a train set.
        seeds: Standard deviation between seeds in what all train sets gain.
        interactions: Standard deviation between pairs of train set and test specialty, half of it likewise.
        models: Standard deviation between models in what all their adapters gain.
        models_own: Standard deviation between models in what the own adapter gains beyond that.
        base: Accuracy of the base model.
        difficulty: Standard deviation of that between test specialties.
        family: So many questions in a row share half of their part, and of the train sets' part on them.
        shares: As `SHARES`. Half of the question's part is the same under every model.
    """

    common: float = 0.0
    own: float = 0.0
    spread: float = 0.0
    formats: float = 0.0
    train_sets: float = 0.0
    luck: Luck = "normal"
    adapters: float = 0.0
    seeds: float = 0.0
    interactions: float = 0.0
    models: float = 0.0
    models_own: float = 0.0
    base: float = 0.45
    difficulty: float = 0.0
    family: int = 1
    shares: tuple[float, float, float] = SHARES

    def owns(self, specialties: int) -> Floats:
        """(specialties,) what each own adapter gains beyond what all gain."""
        even = np.arange(specialties) - (specialties - 1) / 2
        return np.asarray(self.own + self.spread * even / max(float(even.std()), 1e-12))


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
    level = np.full(kinds.shape[1], world.base)
    if world.difficulty:
        level = level + world.difficulty * rng.standard_normal(specialties)[kinds.argmax(axis=0)]
    made = []
    for model in grid.model:
        parts: list[Floats] = [
            np.sqrt(0.5) * (part + rng.standard_normal(shape)) for part, shape in zip(common, shapes, strict=True)
        ]
        gain, own = world.models * rng.standard_normal(), world.models_own * rng.standard_normal()
        chance = np.full((rows, len(grid.seed), kinds.shape[1]), world.common + gain) + level
        if world.seeds:
            chance += world.seeds * rng.standard_normal((1, len(grid.seed), 1))
        chance += world.train_sets * _luck(world.luck, parts[1])
        chance += world.adapters * rng.standard_normal((rows, len(grid.seed), 1))
        chance += world.interactions * parts[2][..., kinds.argmax(axis=0)]
        chance[:specialties] += (own + world.owns(specialties))[:, None, None] * kinds[:, None]
        chance[specialties:] += world.formats - world.common - gain
        made.append(_answered(world, model, parts[0], level, chance, of, rng))
    return made


def _luck(how: Luck, normal: Floats) -> Floats:
    """The train sets' luck, with a mean of 0 and a variance of 1, from normal variables."""
    if how == "skewed":
        return np.asarray(1 + np.log(norm.sf(normal)))
    if how == "uneven":
        return np.asarray(t.ppf(norm.cdf(normal), 3) / np.sqrt(3))
    return normal


def _answered(
    world: World,
    model: str,
    question: Floats,
    level: Floats,
    chance: Floats,
    of: NDArray[np.int64],
    rng: np.random.Generator,
) -> Scores:
    """One block: from the questions' part (questions,), the base model's chances and those of adapters by kind."""
    rows, seeds, _ = chance.shape
    quantile = norm.ppf(np.clip(chance, 0.02, 0.98)).astype(np.float32)
    by_question, by_train_set, by_adapter = np.sqrt(np.array(world.shares, dtype=np.float32))
    hard = by_question * _related(world.family, question.astype(np.float32), rng)
    on_question = rng.standard_normal((rows, 1, len(of)), dtype=np.float32)
    behind = hard + by_train_set * _related(world.family, on_question, rng)
    behind = behind + by_adapter * rng.standard_normal((rows, seeds, len(of)), dtype=np.float32)
    right = behind < quantile[..., of]
    threshold = norm.ppf(np.clip(level, 0.02, 0.98))[of]
    base = hard + np.sqrt(1 - world.shares[0]) * rng.standard_normal(len(of)) < threshold
    return Scores(model, "r", "letter", base.astype(float), right.astype(float))


def _related(size: int, normal: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Normal variables, the last axis questions, of which families of a size have half of the variance in common."""
    if size == 1:
        return normal
    families = rng.standard_normal((*normal.shape[:-1], normal.shape[-1] // size + 1), dtype=np.float32)
    return np.asarray((families.repeat(size, axis=-1)[..., : normal.shape[-1]] + normal) / np.sqrt(np.float32(2)))
