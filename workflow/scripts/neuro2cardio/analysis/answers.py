"""The one answer an adapter gives to each question over all orders of its options, and whether it is right."""

from itertools import chain

import numpy as np
from numpy.typing import NDArray
import pandas as pd

from ..core import tables
from ..core.errors import InputError
from ..questions.test_set import TestSet

Floats = NDArray[np.float64]

_KEYS = [*tables.KEYS.names, "method", "question_id"]
_SLACK = 1e-12
"""Log-probabilities this close are equal: sums of the same numbers in another order differ in their last bits."""


def answers(predictions: pd.DataFrame) -> pd.DataFrame:
    """The one answer an adapter gives to each question, over all orders of its options.

    Where options have log-probabilities, they are averaged over the orders, option by option, and the highest wins. A
    generated answer is put to the vote: the option chosen in most orders. A text that could not be parsed (-1) is a
    vote like another, and never right. Options that share the first place are all kept in `best`.

    Args:
        predictions: A `tables.PREDICTIONS` frame, of any number of adapters and methods.

    Returns:
        The adapter's key columns, `method`, `question_id`, `chosen` (of options that share the first place, the
        first in content order, or the one generated in the earliest order) and `best` (all of them, as a tuple), one
        row a question.

    Raises:
        InputError: An option's log-probability is missing or not a number.
    """
    generated = predictions["method"] == "generate"
    parts = [decide(predictions[rows]) for decide, rows in ((_highest, ~generated), (_voted, generated)) if rows.any()]
    return pd.concat(parts, ignore_index=True)


def option_logprobs(rows: pd.DataFrame) -> Floats:
    """(rows, options) log-probabilities, minus infinity where a question has fewer options than the longest.

    Raises:
        InputError: An option's log-probability is missing or not a number.
    """
    lengths = rows["option_logprobs"].map(len).to_numpy(dtype=np.int64)
    flat = np.fromiter(chain.from_iterable(rows["option_logprobs"]), dtype=float, count=lengths.sum())
    padded = np.full((len(rows), lengths.max(initial=1)), -np.inf)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = flat
    if np.isnan(flat).any() or not lengths.all():
        bad = rows[np.isnan(padded).any(axis=1) | (lengths == 0)].iloc[0]
        raise InputError(f"question {bad['question_id']}, method {bad['method']}: an option has no log-probability")
    return padded


def highest(logprobs: Floats) -> NDArray[np.bool_]:
    """(rows, options): which options share the highest log-probability of their row, rounding aside."""
    top = logprobs.max(axis=1, keepdims=True)
    return logprobs >= top - _SLACK * np.maximum(1.0, np.abs(top))


def first_places(rows: pd.DataFrame, at: NDArray[np.intp], n_questions: int, n_options: int) -> NDArray[np.bool_]:
    """Which options share the first place of each question: as `answers`, for one adapter and method.

    Args:
        rows: Rows of a `tables.PREDICTIONS` frame.
        at: (rows,), the place of each row's question.
        n_questions: How many places there are.
        n_options: Of the question with most of them.

    Returns:
        (questions, options + 1). The last column stands for texts that name no option. A question without rows has no
        first place.

    Raises:
        InputError: An option's log-probability is missing or not a number.
    """
    if (rows["method"] == "generate").any():
        total = np.zeros((n_questions, n_options + 1))
        np.add.at(total, (at, rows["chosen"].to_numpy()), 1)
        first = total == total.max(axis=1, keepdims=True)
    else:
        padded = option_logprobs(rows)
        total = np.full((n_questions, n_options + 1), -np.inf)
        total[:, : padded.shape[1]] = 0
        np.add.at(total[:, : padded.shape[1]], at, padded)
        first = highest(total)
    first[np.bincount(at, minlength=n_questions) == 0] = False
    return first


def _highest(rows: pd.DataFrame) -> pd.DataFrame:
    groups = rows.groupby(_KEYS, sort=False)
    heads = rows.loc[~rows.duplicated(_KEYS), _KEYS]
    padded = option_logprobs(rows)
    total = np.zeros((len(heads), padded.shape[1]))
    np.add.at(total, groups.ngroup().to_numpy(), padded)
    first = highest(total)
    several = first.sum(axis=1) > 1
    best: list[tuple[int, ...]] = [(int(i),) for i in first.argmax(axis=1)]
    for row in np.flatnonzero(several):
        best[row] = tuple(map(int, np.flatnonzero(first[row])))
    return heads.assign(chosen=first.argmax(axis=1), best=best)


def _voted(rows: pd.DataFrame) -> pd.DataFrame:
    counted = rows.groupby([*_KEYS, "chosen"], sort=False)["permutation"].agg(["size", "min"]).reset_index()
    counted = counted[counted["size"] == counted.groupby(_KEYS, sort=False)["size"].transform("max")]
    ranked = counted.sort_values("min", kind="stable").groupby(_KEYS, sort=False)["chosen"]
    found = ranked.agg(["first", tuple]).rename(columns={"first": "chosen", "tuple": "best"})
    return found.reset_index()


def marks(answered: pd.DataFrame, test_set: TestSet, methods: list[str]) -> Floats:
    """(methods, questions): 1.0 where one adapter's answer is right, 0.0 where it is wrong, 1/k of a k-fold tie.

    An answer that shares the first place with k - 1 others is right with the chance of a random pick among them, so
    that a model which tells no option from another has the accuracy of guessing, wherever the right option stands.

    Args:
        answered: `answers` of one adapter.
        test_set: The test questions.
        methods: Which to mark, in this order.

    Raises:
        InputError: The adapter did not answer exactly the test set's questions by each of these methods.
    """
    rows = []
    for method in methods:
        best = answered[answered["method"] == method].set_index("question_id")["best"]
        if not best.index.is_unique or set(best.index) != set(test_set.question_ids):
            key = "/".join(str(answered[name].iloc[0]) for name in tables.KEYS.names)
            raise InputError(
                f"predictions of {key}, method {method}: {len(best)} questions answered, which are not the "
                f"{len(test_set.question_ids)} of the test split; delete the file and run again"
            )
        held = best.reindex(test_set.question_ids)
        rows.append([(right in found) / len(found) for found, right in zip(held, test_set.answers, strict=True)])
    return np.array(rows, dtype=float)


def ties(answered: pd.DataFrame, test_set: TestSet, methods: list[str]) -> Floats:
    """(methods, questions): 1.0 where several options share the first place, else 0.0.

    Args:
        answered: `answers` of one adapter, which `marks` accepts.
        test_set: The test questions.
        methods: As of `marks`.
    """
    several = answered.assign(tied=answered["best"].map(len) > 1).set_index(["method", "question_id"])["tied"]
    return np.array([several[method].reindex(test_set.question_ids) for method in methods], dtype=float)
