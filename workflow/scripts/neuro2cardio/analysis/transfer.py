"""What a train set does to each specialty's answers: the transfer matrix and the diagonal advantage."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ..config.analysis import Statistics
from ..core.adapters import BASE, Adapter, Axes
from ..core.errors import InputError
from ..questions.test_set import ALL, TestSet
from . import paired, resampling
from .resampling import Floats

_DIAGONAL = [
    *("model", "recipe", "method", "test_specialty", "n_questions", "n_seeds", "own_accuracy", "others_accuracy"),
    *("advantage", "low", "high", "p", "best_train_set", "best_accuracy", "best_minus_own", "margin", "own_is"),
    "tied_with_best",
]


@dataclass(frozen=True)
class Scores:
    """Which questions were answered rightly (1.0) or not (0.0; 1/k of a k-fold tie), for one model, recipe, method.

    Attributes:
        base: (questions,).
        adapters: (train sets, seeds, questions).
    """

    model: str
    recipe: str
    method: str
    base: Floats
    adapters: Floats

    @property
    def key(self) -> dict[str, str]:
        """The columns that lead each row of a result table."""
        return {"model": self.model, "recipe": self.recipe, "method": self.method}


def scores(marked: dict[Adapter, Floats], axes: Axes, methods: list[str]) -> list[Scores]:
    """Stack the `answers.marks` of the whole grid into one block a model, recipe and method."""
    blocks = []
    for model, recipe in product(axes.model, axes.recipe):
        stacked = np.stack([marked[adapter] for adapter in axes.adapters(model, recipe)])
        shape = (len(axes.train_set), len(axes.seed), stacked.shape[-1])
        for i, method in enumerate(methods):
            base = marked[Adapter.base(model)][i]
            blocks.append(Scores(model, recipe, method, base, stacked[:, i].reshape(shape)))
    return blocks


def matrix(blocks: list[Scores], axes: Axes, exam: TestSet, setup: Statistics) -> pd.DataFrame:
    """The transfer matrix: train set (and the base model) x test specialty (and all of them).

    Accuracy is the mean over questions and seeds, its interval Wilson's with the number of questions (seeds answer the
    same ones and add no independent unit). The change against base is paired by question; its interval and `p` are
    those of `paired.change`, conditional on the adapters; `n_discordant` is how many questions differ at all. `q` is
    Benjamini-Hochberg's over the cells of one model, recipe and method, `all` being a family of its own. Accuracies and
    changes are shares, not points.
    """
    frames = [_base_rows(block, exam, setup) for block in blocks if block.recipe == axes.recipe[0]]
    frames += [_adapter_rows(block, axes, exam, setup) for block in blocks]
    table = pd.concat(frames, ignore_index=True)
    family = [table["model"], table["recipe"], table["method"], table["test_specialty"] == ALL]
    table["q"] = table.groupby(family)["p"].transform(resampling.benjamini_hochberg)
    return table


def _base_rows(block: Scores, exam: TestSet, setup: Statistics) -> pd.DataFrame:
    key = block.key | {"recipe": BASE, "train_set": BASE}
    accuracy = np.array([block.base[member].mean() for member in exam.members.values()])
    return _with_wilson(
        pd.DataFrame(
            {
                **key,
                "test_specialty": list(exam.members),
                "n_questions": [member.sum() for member in exam.members.values()],
                "n_seeds": 1,
                "accuracy": accuracy,
            }
        ),
        setup,
    ).assign(seed_sd=np.nan, change=np.nan, change_low=np.nan, change_high=np.nan, n_discordant=np.nan, p=np.nan)


def _adapter_rows(block: Scores, axes: Axes, exam: TestSet, setup: Statistics) -> pd.DataFrame:
    columns = []
    for name, member in exam.members.items():
        right = block.adapters[:, :, member]
        change = right - block.base[member]
        found = paired.change(change.mean(axis=1), setup.confidence)
        columns.append(
            pd.DataFrame(
                {
                    **block.key,
                    "train_set": axes.train_set,
                    "test_specialty": name,
                    "n_questions": member.sum(),
                    "n_seeds": right.shape[1],
                    "accuracy": right.mean(axis=(1, 2)),
                    "seed_sd": _seed_sd(right),
                    "change": found.mean,
                    "change_low": found.low,
                    "change_high": found.high,
                    "n_discordant": found.discordant,
                    "p": found.p,
                }
            )
        )
    table = pd.concat(columns, ignore_index=True)
    order = {name: i for i, name in enumerate(axes.train_set)}
    return _with_wilson(table.sort_values("train_set", key=lambda s: s.map(order), kind="stable"), setup)


def _seed_sd(right: Floats) -> Floats:
    """Standard deviation over seeds of a cell's accuracy; NaN with one seed."""
    return right.mean(axis=2).std(axis=1, ddof=1) if right.shape[1] > 1 else np.full(len(right), np.nan)


def _with_wilson(table: pd.DataFrame, setup: Statistics) -> pd.DataFrame:
    low, high = resampling.wilson(table["accuracy"], table["n_questions"], setup.confidence)
    at = table.columns.get_loc("accuracy") + 1
    table.insert(at, "accuracy_low", low)
    table.insert(at + 1, "accuracy_high", high)
    return table


def diagonal(blocks: list[Scores], axes: Axes, exam: TestSet, setup: Statistics) -> pd.DataFrame:
    """Is the specialty's own adapter the better one on its questions? One row a test specialty, and one over all.

    The diagonal advantage D is the mean over questions of (own specialty's adapters right - other specialties'
    adapters right); the controls do not take part. A question of several specialties has several own adapters, which
    are averaged over `all`; in a specialty's row that specialty's adapter alone is the own one.

    `best_train_set` is the highest accuracy among the specialties' adapters; `tied_with_best` are those that
    a simultaneous interval over all pairs (Tukey's, resampled) cannot tell from it, and `own_is` says where the own
    adapter stands: `best` (ahead of all others beyond doubt), `tied` or `behind` (beyond doubt).
    A grid of one specialty has no diagonal to speak of, and an empty table.
    """
    names = list(exam.members) if len(axes.specialties) > 1 else []
    rows = [_diagonal_row(block, name, axes, exam, setup) for block in blocks for name in names]
    table = pd.DataFrame(rows, columns=_DIAGONAL)
    family = [table["model"], table["recipe"], table["method"], table["test_specialty"] == ALL]
    table["p_holm"] = table.groupby(family)["p"].transform(resampling.holm)
    return table


def _diagonal_row(block: Scores, name: str, axes: Axes, exam: TestSet, setup: Statistics) -> dict[str, Any]:
    own, others = _own_and_others(block, name, axes, exam)
    advantage = own - others
    rng = resampling.generator(setup.seed, "diagonal", name)
    samples = resampling.crossed_bootstrap(advantage[None], setup.draws, rng)
    low, high = resampling.percentile_interval(samples, setup.confidence)
    row = block.key | {
        "test_specialty": name,
        "n_questions": advantage.shape[1],
        "n_seeds": advantage.shape[0],
        "own_accuracy": own.mean(),
        "others_accuracy": others.mean(),
        "advantage": advantage.mean(),
        "low": low[0],
        "high": high[0],
        "p": resampling.sign_flip(advantage.mean(axis=0)[None], setup.draws, rng)[0],
    }
    return row | ({} if name == ALL else _ranking(block, name, axes, exam, setup))


def _own_and_others(block: Scores, name: str, axes: Axes, exam: TestSet) -> tuple[Floats, Floats]:
    """(seeds, questions) each: right answers of own and of other adapters, for questions that have both."""
    adapters = block.adapters[axes.specialty_rows]
    held = np.array([exam.members[specialty] for specialty in axes.specialties], dtype=float)
    own = held if name == ALL else held * (np.array(axes.specialties) == name)[:, None]
    usable = exam.members[name] & (own.sum(axis=0) > 0) & (held.sum(axis=0) < len(held))
    if not usable.any():
        raise InputError(f"{name}: every test question is of all specialties of the grid; no other adapter is left")
    own, others, adapters = own[:, usable], 1 - held[:, usable], adapters[:, :, usable]
    return (
        np.einsum("tsq,tq->sq", adapters, own / own.sum(axis=0)),
        np.einsum("tsq,tq->sq", adapters, others / others.sum(axis=0)),
    )


def _ranking(block: Scores, name: str, axes: Axes, exam: TestSet, setup: Statistics) -> dict[str, Any]:
    right = block.adapters[axes.specialty_rows][:, :, exam.members[name]]
    accuracy = right.mean(axis=(1, 2))
    rng = resampling.generator(setup.seed, "ranking", name)
    samples = resampling.crossed_bootstrap(right, setup.draws, rng)
    margin = resampling.tukey_margin(samples, accuracy, setup.confidence)
    best, own = int(accuracy.argmax()), axes.specialties.index(name)
    slugs = [axes.train_set[i] for i in axes.specialty_rows]
    tied = [s for i, s in enumerate(slugs) if i != best and accuracy[best] - accuracy[i] <= margin]
    own_is = "best" if own == best and not tied else "tied" if own == best or slugs[own] in tied else "behind"
    return {
        "best_train_set": slugs[best],
        "best_accuracy": accuracy[best],
        "best_minus_own": accuracy[best] - accuracy[own],
        "margin": margin,
        "own_is": own_is,
        "tied_with_best": " ".join(tied),
    }
