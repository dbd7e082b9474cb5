"""Every adapter's answers to the test questions, small enough to travel inside a page.

One byte for the chosen option, one for each option's probability, one for the probability that the model puts on the
offered answers at all, and one for the option chosen in each order of the options.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import pandas as pd

from ..analysis.answers import answers as final_answers

Bytes = NDArray[np.uint8]

NOTHING = 255
"""Stands for no option, and for a probability that is not known."""


@dataclass(frozen=True)
class Answers:
    """One adapter's answers by one method, in the order of the test questions.

    Attributes:
        chosen: (questions,), the option's index; `NOTHING` where no answer was found.
        probabilities: (questions, options), in 254ths; `NOTHING` for options that a question lacks.
        mass: (questions,), the probability of all offered answers together, in 254ths; `NOTHING` where unknown.
        orders: (questions, orders), the option chosen in each order of the options.
    """

    chosen: Bytes
    probabilities: Bytes
    mass: Bytes
    orders: Bytes

    def packed(self) -> bytes:
        """The rows of all questions, one after the other."""
        return np.column_stack([self.chosen, self.probabilities, self.mass, self.orders]).tobytes()

    @property
    def width(self) -> int:
        """Bytes of one question."""
        return 2 + self.probabilities.shape[1] + self.orders.shape[1]


def by_method(
    predictions: pd.DataFrame, question_ids: Sequence[str], most_options: int
) -> Iterator[tuple[str, Answers]]:
    """The answers of one adapter, method by method.

    Args:
        predictions: A `tables.PREDICTIONS` frame of one adapter.
        question_ids: The test questions, in the order of the page.
        most_options: Of any of the questions.

    Yields:
        Each method with its answers. Questions that the adapter did not answer hold `NOTHING`.
    """
    place = {question_id: i for i, question_id in enumerate(question_ids)}
    rows = predictions[predictions["question_id"].isin(place)]
    for method, own in rows.groupby("method", sort=False):
        yield str(method), _answers(own, place, most_options)


def _answers(rows: pd.DataFrame, place: dict[str, int], most_options: int) -> Answers:
    orders = int(rows["permutation"].max()) + 1
    final = final_answers(rows)
    chosen = np.full(len(place), NOTHING, np.uint8)
    chosen[final["question_id"].map(place)] = _index(final["chosen"].to_numpy())
    in_orders = np.full((len(place), orders), NOTHING, np.uint8)
    at = rows["question_id"].map(place).to_numpy()
    in_orders[at, rows["permutation"]] = _index(rows["chosen"].to_numpy())
    return Answers(chosen, _probabilities(rows, at, len(place), most_options), _mass(rows, at, len(place)), in_orders)


def _index(chosen: NDArray[np.int64]) -> Bytes:
    return np.where(chosen < 0, NOTHING, chosen).astype(np.uint8)


def _probabilities(rows: pd.DataFrame, at: NDArray[np.int64], n: int, most_options: int) -> Bytes:
    """Softmax over the options of their log-probabilities, averaged over the orders."""
    total, count = np.full((n, most_options), -np.inf), np.zeros(n)
    for i, logprobs in zip(at, rows["option_logprobs"], strict=True):
        if len(logprobs):
            own = total[i, : len(logprobs)]
            total[i, : len(logprobs)] = np.where(np.isinf(own), 0, own) + np.asarray(logprobs, float)
            count[i] += 1
    known = count > 0
    mean = np.where(known[:, None], total / np.maximum(count, 1)[:, None], -np.inf)
    peak = np.where(known, mean.max(axis=1, initial=-np.inf), 0)
    shares = np.exp(mean - peak[:, None])
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    return np.where(np.isfinite(mean), np.round(254 * shares), NOTHING).astype(np.uint8)


def _mass(rows: pd.DataFrame, at: NDArray[np.int64], n: int) -> Bytes:
    if "answer_mass" not in rows or rows["answer_mass"].isna().all():
        return np.full(n, NOTHING, np.uint8)
    mean = rows.groupby(at)["answer_mass"].mean()
    result = np.full(n, NOTHING, np.uint8)
    result[mean.index] = np.round(254 * mean.clip(0, 1).fillna(0)).astype(np.uint8)
    return result


def reliability(answers: Answers, right: NDArray[np.int64], bins: int = 10) -> dict[str, list[float]]:
    """Accuracy and confidence of answers by how probable the model thought them, and the expected calibration error.

    Guo et al. 2017 (ICML): confidence is the probability of the chosen option; bins are of equal width; ECE is the mean
    of the bins' distances, weighted by their numbers of questions.
    """
    known = (answers.chosen != NOTHING) & (answers.probabilities[:, 0] != NOTHING)
    if not known.any():
        return {}
    rows = np.flatnonzero(known)
    confidence = answers.probabilities[rows, answers.chosen[rows]] / 254
    correct = answers.chosen[rows] == right[rows]
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    n = np.bincount(bin_of, minlength=bins)
    filled = np.maximum(n, 1)
    mean = np.bincount(bin_of, confidence, bins) / filled
    accuracy = np.bincount(bin_of, correct, bins) / filled
    error = float((n * np.abs(accuracy - mean)).sum() / n.sum())
    return {"n": n.tolist(), "confidence": mean.tolist(), "accuracy": accuracy.tolist(), "ece": [error]}
