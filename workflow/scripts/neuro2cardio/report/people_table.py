"""One table for people: each test question with its text, and what the base model and each adapter made of it."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..analysis import answers
from ..core import tables
from ..core.adapters import Adapter, Axes
from ..questions.test_set import TestSet

BEFORE = (
    *("question_id", "source_row", "specialties", "question", "options", "answer"),
    *("model", "recipe", "method", "base"),
)
"""Columns before those of the train sets.

`base` and each train set hold the share of right answers, over seeds (and 1/k for a k-fold tie); `gained` and `lost`
name the train sets that answer better or worse than base.
"""


def build(questions: pd.DataFrame, predictions: Path, axes: Axes, methods: list[str]) -> pd.DataFrame:
    """The table, one row a test question, model, recipe and method.

    Args:
        questions: The question table.
        predictions: The folder of all predictions.
        axes: The grid.
        methods: The inference methods to include.

    Returns:
        Columns `BEFORE`, one column a train set, `gained` and `lost`.
    """
    test_set = TestSet.of(questions, axes.specialties)
    test = questions.set_index("question_id").loc[test_set.question_ids]
    frames = []
    for model in axes.model:
        base = _marks(predictions, Adapter.base(model), test_set, methods)
        for recipe in axes.recipe:
            own = {
                name: _over_seeds(predictions, model, recipe, name, axes, test_set, methods) for name in axes.train_set
            }
            for i, method in enumerate(methods):
                key = {"model": model, "recipe": recipe, "method": method}
                frames.append(_frame(test, key, base[i], {name: marks[i] for name, marks in own.items()}))
    return pd.concat(frames, ignore_index=True)


def _over_seeds(
    predictions: Path, model: str, recipe: str, train_set: str, axes: Axes, test_set: TestSet, methods: list[str]
) -> np.ndarray:
    adapters: Iterable[Adapter] = (Adapter(model, recipe, train_set, seed) for seed in axes.seed)
    return np.mean([_marks(predictions, adapter, test_set, methods) for adapter in adapters], axis=0)


def _marks(predictions: Path, adapter: Adapter, test_set: TestSet, methods: list[str]) -> np.ndarray:
    frame = tables.read(adapter.path(predictions), tables.PREDICTIONS)
    return answers.marks(answers.answers(frame), test_set, methods)


def _frame(test: pd.DataFrame, key: dict[str, str], base: np.ndarray, own: dict[str, np.ndarray]) -> pd.DataFrame:
    marks = np.column_stack(list(own.values()))
    names = np.array(list(own))
    frame = pd.DataFrame(
        {
            "question_id": test.index,
            "source_row": test["source_row"].to_numpy(),
            "specialties": test["specialties"].map("; ".join).to_numpy(),
            "question": test["stem"].to_numpy(),
            "options": test["options"].map("\n".join).to_numpy(),
            "answer": [options[i] for options, i in zip(test["options"], test["answer"], strict=True)],
            **key,
            "base": base,
        }
    )
    frame[list(own)] = marks
    frame["gained"] = ["; ".join(names[row > mark]) for row, mark in zip(marks, base, strict=True)]
    frame["lost"] = ["; ".join(names[row < mark]) for row, mark in zip(marks, base, strict=True)]
    return frame
