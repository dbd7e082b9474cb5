"""Every adapter's answers to the test questions, small enough to travel inside a page.

One byte for the chosen option, one for each option's probability, one for the probability that the model puts on the
offered answers at all, and one for the option chosen in each order of the options.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
import pandas as pd

from ..analysis.answers import first_places, option_logprobs
from ..core.base_rows import BASE

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

NOTHING = 255
"""Stands for no option, and for a probability that is not known."""


@dataclass(frozen=True)
class Answers:
    """One adapter's answers by one method, in the order of the test questions.

    Attributes:
        chosen: (questions,), the option's index; `NOTHING` where no answer was found.
        probabilities: (questions, options), in 254ths; `NOTHING` for options that a question lacks. No columns in
            answers that were cut down.
        mass: (questions,), the probability of all offered answers together, in 254ths; `NOTHING` where unknown.
        orders: (questions, orders), the option chosen in each order of the options. No columns where cut down.
    """

    chosen: Bytes
    probabilities: Bytes
    mass: Bytes
    orders: Bytes

    @property
    def is_whole(self) -> bool:
        """Whether it holds more than the chosen options."""
        return self.probabilities.shape[1] > 0

    def packed(self) -> bytes:
        """The rows of all questions, one after the other: one byte each where cut down."""
        if not self.is_whole:
            return self.chosen.tobytes()
        return np.column_stack([self.chosen, self.probabilities, self.mass, self.orders]).tobytes()

    @property
    def width(self) -> int:
        """Bytes of one question."""
        return 2 + self.probabilities.shape[1] + self.orders.shape[1] if self.is_whole else 1

    def cut_down(self) -> "Answers":
        """The chosen options alone."""
        nothing = np.empty((len(self.chosen), 0), np.uint8)
        return replace(self, probabilities=nothing, orders=nothing)


@dataclass(frozen=True)
class Read:
    """One adapter's answers by one method, and how they are marked.

    Attributes:
        answers: What travels in the page.
        right: (questions,), 1.0 where the answer is right, 1/k of a k-fold tie, else 0.0; NaN where there is none.
    """

    answers: Answers
    right: Floats


def by_method(
    predictions: pd.DataFrame, question_ids: Sequence[str], right: NDArray[np.int64], most_options: int
) -> Iterator[tuple[str, Read]]:
    """The answers of one adapter, method by method.

    Args:
        predictions: A `tables.PREDICTIONS` frame of one adapter.
        question_ids: The test questions, in the order of the page.
        right: (questions,), the right options.
        most_options: Of any of the questions.

    Yields:
        Each method with its answers. Questions that the adapter did not answer hold `NOTHING`.
    """
    places = pd.Index(question_ids).get_indexer(predictions["question_id"])
    methods = predictions["method"].to_numpy()
    for method in dict.fromkeys(methods):
        own = (methods == method) & (places >= 0)
        yield str(method), _read(predictions[own], places[own], right, most_options)


def _read(rows: pd.DataFrame, at: NDArray[np.intp], right: NDArray[np.int64], most_options: int) -> Read:
    n = len(right)
    first = first_places(rows, at, n, most_options)
    orders = np.full((n, int(rows["permutation"].max()) + 1 if len(rows) else 1), NOTHING, np.uint8)
    orders[at, rows["permutation"]] = _index(rows["chosen"].to_numpy())
    shared = first.sum(axis=1)
    marks = np.divide(first[np.arange(n), right], shared, out=np.full(n, np.nan), where=shared > 0)
    generated = bool((rows["method"] == "generate").any())
    chosen = _earliest(first, orders) if generated else np.where(shared > 0, first.argmax(axis=1), NOTHING)
    answers = Answers(chosen.astype(np.uint8), _probabilities(rows, at, n, most_options), _mass(rows, at, n), orders)
    return Read(answers, marks)


def _earliest(first: NDArray[np.bool_], orders: Bytes) -> Bytes:
    """Of the options that share the first place, the one chosen in the earliest order."""
    chosen = np.full(len(first), NOTHING, np.uint8)
    for order in orders.T[::-1]:
        place = np.where(order == NOTHING, first.shape[1] - 1, order)
        chosen = np.where(first[np.arange(len(first)), place], order, chosen)
    return chosen


def _index(chosen: NDArray[np.int64]) -> Bytes:
    return np.where(chosen < 0, NOTHING, chosen).astype(np.uint8)


def _probabilities(rows: pd.DataFrame, at: NDArray[np.intp], n: int, most_options: int) -> Bytes:
    """Softmax over the options of their log-probabilities, averaged over the orders."""
    scored = rows["option_logprobs"].map(len).to_numpy() > 0
    if not scored.any():
        return np.full((n, most_options), NOTHING, np.uint8)
    padded, at = option_logprobs(rows[scored]), at[scored]
    total = np.full((n, most_options), -np.inf)
    total[:, : padded.shape[1]] = 0
    np.add.at(total[:, : padded.shape[1]], at, padded)
    count = np.bincount(at, minlength=n)
    mean = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], -np.inf)
    shares = np.exp(mean - np.where(count > 0, mean.max(axis=1), 0)[:, None])
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    return np.where(np.isfinite(mean), np.round(254 * shares), NOTHING).astype(np.uint8)


def _mass(rows: pd.DataFrame, at: NDArray[np.intp], n: int) -> Bytes:
    mass = rows["answer_mass"].to_numpy(dtype=float) if "answer_mass" in rows else np.full(len(rows), np.nan)
    known = ~np.isnan(mass)
    count = np.bincount(at[known], minlength=n)
    mean = np.bincount(at[known], mass[known], minlength=n) / np.maximum(count, 1)
    return np.where(count > 0, np.round(254 * np.clip(mean, 0, 1)), NOTHING).astype(np.uint8)


@dataclass
class Room:
    """The answers of all adapters, cut down as far as a budget asks.

    Where whole answers do not fit, adapters keep their chosen options alone, from which gains, losses and every cell of
    the heatmap can still be opened; where these do not fit either, adapters have none. Base rows stay whole.

    Attributes:
        budget: Bytes for the answers of adapters, before compression.
        entries: What identifies each adapter and method, with its answers.
        chosen_only: Whether answers were cut down.
        left_out: Adapters and methods whose answers were left out altogether.
    """

    budget: int
    entries: list[tuple[dict[str, Any], Answers]] = field(default_factory=list)
    chosen_only: bool = False
    left_out: int = 0
    _used: int = 0

    def add_base(self, key: dict[str, Any], answers: Answers) -> None:
        """Keep a base row."""
        self.entries.append((key, answers))

    def add(self, key: dict[str, Any], answers: Answers) -> None:
        """Keep an adapter's answers, as far as there is room."""
        if self.left_out:
            self.left_out += 1
            return
        own = answers.cut_down() if self.chosen_only else answers
        self.entries.append((key, own))
        self._used += own.width * len(own.chosen)
        if self._used > self.budget and not self.chosen_only:
            self._keep_chosen_only()
        if self._used > self.budget:
            self._keep_none()

    def _adapters(self) -> Iterator[int]:
        return (i for i, (key, _) in enumerate(self.entries) if key["recipe"] != BASE)

    def _keep_chosen_only(self) -> None:
        self.chosen_only, self._used = True, 0
        for i in self._adapters():
            key, answers = self.entries[i]
            self.entries[i] = (key, answers.cut_down())
            self._used += len(answers.chosen)

    def _keep_none(self) -> None:
        gone = set(self._adapters())
        self.left_out = len(gone)
        self.entries = [entry for i, entry in enumerate(self.entries) if i not in gone]


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
