"""What a train set does to each specialty's answers: the transfer matrix."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import pandas as pd

from ..config.analysis import Statistics
from ..core.adapters import Adapter, Axes
from ..core.base_rows import BASE, BASE_ROWS
from ..questions.test_set import ALL, TestSet
from . import paired, resampling
from .resampling import Floats


@dataclass(frozen=True)
class Scores:
    """Which questions were answered rightly (1.0) or not (0.0; 1/k of a k-fold tie), for one model, recipe, method.

    Attributes:
        base: (questions,).
        adapters: (train sets, seeds, questions).
        base_rows: By name of `base_rows.BASE_ROWS`: (questions,) of the base model so asked, where it was scored.
    """

    model: str
    recipe: str
    method: str
    base: Floats
    adapters: Floats
    base_rows: Mapping[str, Floats] = field(default_factory=dict)

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
            points = {row: Adapter.base_row(model, row) for row in BASE_ROWS}
            rows = {row: marked[point][i] for row, point in points.items() if point in marked}
            blocks.append(Scores(model, recipe, method, base, stacked[:, i].reshape(shape), rows))
    return blocks


def averaged(blocks: list[Scores]) -> Scores:
    """One block of the mean over several models' answers."""
    there = [row for row in blocks[0].base_rows if all(row in block.base_rows for block in blocks)]
    return replace(
        blocks[0],
        base=np.mean([block.base for block in blocks], axis=0),
        adapters=np.mean([block.adapters for block in blocks], axis=0),
        base_rows={row: np.mean([block.base_rows[row] for block in blocks], axis=0) for row in there},
    )


def matrix(
    blocks: list[Scores], axes: Axes, test_set: TestSet, statistics: Statistics, ties: list[Scores] | None = None
) -> pd.DataFrame:
    """The transfer matrix: train set (and the base model, also as `base_rows.BASE_ROWS`) x test specialty (and all).

    Accuracy is the mean over questions and seeds, its interval Wilson's with the number of questions (seeds answer the
    same ones and add no independent unit). The change against base is paired by question; its interval and `p` are
    those of `paired.change`, conditional on the adapters; `n_discordant` is how many questions differ at all. `q` is
    Benjamini-Hochberg's over the cells of one model, recipe and method, `all` being a family of its own. Accuracies and
    changes are shares, not points. `tied_share` is the share of answers that share the first place with another option,
    where ``ties`` says which those are: blocks made of `answers.ties` as ``blocks`` are of `answers.marks`.
    """
    table = _rows(blocks, axes, test_set, statistics)
    family = [table["model"], table["recipe"], table["method"], table["test_specialty"] == ALL]
    table["q"] = table.groupby(family)["p"].transform(resampling.benjamini_hochberg)
    return table if ties is None else table.assign(tied_share=_rows(ties, axes, test_set, statistics)["accuracy"])


def _rows(blocks: list[Scores], axes: Axes, test_set: TestSet, statistics: Statistics) -> pd.DataFrame:
    """All rows, without what needs a whole family."""
    frames = [_base_rows(block, test_set, statistics) for block in blocks if block.recipe == axes.recipe[0]]
    frames += [
        _base_row(block, row, test_set, statistics)
        for block in blocks
        for row in block.base_rows
        if block.recipe == axes.recipe[0]
    ]
    frames += [_adapter_rows(block, axes, test_set, statistics) for block in blocks]
    return pd.concat(frames, ignore_index=True)


def _base_rows(block: Scores, test_set: TestSet, statistics: Statistics) -> pd.DataFrame:
    key = block.key | {"recipe": BASE, "train_set": BASE}
    accuracy = np.array([block.base[member].mean() for member in test_set.members.values()])
    return _with_wilson(
        pd.DataFrame(
            {
                **key,
                "test_specialty": list(test_set.members),
                "n_questions": [member.sum() for member in test_set.members.values()],
                "n_seeds": 1,
                "accuracy": accuracy,
            }
        ),
        statistics,
    ).assign(seed_sd=np.nan, change=np.nan, change_low=np.nan, change_high=np.nan, n_discordant=np.nan, p=np.nan)


def _base_row(block: Scores, row: str, test_set: TestSet, statistics: Statistics) -> pd.DataFrame:
    """What worked examples or another wording change, without training: rows like an adapter's."""
    axes = Axes(model=[block.model], recipe=[BASE], train_set=[row], seed=[-1])
    asked = Scores(block.model, BASE, block.method, block.base, block.base_rows[row][None, None])
    return _adapter_rows(asked, axes, test_set, statistics)


def _adapter_rows(block: Scores, axes: Axes, test_set: TestSet, statistics: Statistics) -> pd.DataFrame:
    columns = []
    for name, member in test_set.members.items():
        right = block.adapters[:, :, member]
        change = right - block.base[member]
        found = paired.change(change.mean(axis=1), statistics.confidence)
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
    return _with_wilson(table.sort_values("train_set", key=lambda s: s.map(order), kind="stable"), statistics)


def _seed_sd(right: Floats) -> Floats:
    """Standard deviation over seeds of a cell's accuracy; NaN with one seed."""
    return right.mean(axis=2).std(axis=1, ddof=1) if right.shape[1] > 1 else np.full(len(right), np.nan)


def _with_wilson(table: pd.DataFrame, statistics: Statistics) -> pd.DataFrame:
    low, high = resampling.wilson(table["accuracy"], table["n_questions"], statistics.confidence)
    at = table.columns.get_loc("accuracy") + 1
    table.insert(at, "accuracy_low", low)
    table.insert(at + 1, "accuracy_high", high)
    return table
