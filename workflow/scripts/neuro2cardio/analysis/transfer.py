"""What a train set does to each specialty's answers: the transfer matrix and the diagonal advantage."""

from dataclasses import dataclass
from itertools import chain, product
from typing import Any

import numpy as np
import pandas as pd

from ..config.analysis import Statistics
from ..core import tables
from ..core.adapters import BASE, Adapter, Axes
from ..core.errors import InputError
from ..questions.test_set import ALL, TestSet
from . import resampling
from .resampling import Floats

_DIAGONAL = [
    *("model", "recipe", "method", "test_specialty", "n_questions", "n_seeds", "own_accuracy", "others_accuracy"),
    *("advantage", "low", "high", "p", "best_train_set", "best_accuracy", "best_minus_own", "margin", "own_is"),
    "tied_with_best",
]
_ANSWER_KEYS = [*tables.KEYS.names, "method", "question_id"]


@dataclass(frozen=True)
class Scores:
    """Which questions were answered rightly (1.0) or not (0.0), for one model, recipe and method.

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


def answers(predictions: pd.DataFrame) -> pd.DataFrame:
    """The one answer an adapter gives to each question, over all orders of its options.

    Where options have log-probabilities, they are averaged over the orders, option by option, and the highest wins. A
    generated answer is put to the vote: the option chosen in most orders, on a tie the one chosen in the earliest of
    them. A text that could not be parsed (-1) is a vote like another, and never right.

    Args:
        predictions: A `tables.PREDICTIONS` frame, of any number of adapters and methods.

    Returns:
        The adapter's key columns, `method`, `question_id` and `chosen`, one row a question.

    Raises:
        InputError: An option's log-probability is missing or not a number.
    """
    generated = predictions["method"] == "generate"
    parts = [decide(predictions[rows]) for decide, rows in ((_highest, ~generated), (_voted, generated)) if rows.any()]
    return pd.concat(parts, ignore_index=True)


def _highest(rows: pd.DataFrame) -> pd.DataFrame:
    groups = rows.groupby(_ANSWER_KEYS, sort=False)
    heads = rows.loc[~rows.duplicated(_ANSWER_KEYS), _ANSWER_KEYS]
    lengths = rows["option_logprobs"].map(len).to_numpy(dtype=np.int64)
    flat = np.fromiter(chain.from_iterable(rows["option_logprobs"]), dtype=float, count=lengths.sum())
    padded = np.full((len(rows), lengths.max(initial=1)), -np.inf)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = flat
    if np.isnan(flat).any() or not lengths.all():
        bad = rows[np.isnan(padded).any(axis=1) | (lengths == 0)].iloc[0]
        raise InputError(f"question {bad['question_id']}, method {bad['method']}: an option has no log-probability")
    total = np.zeros((len(heads), padded.shape[1]))
    np.add.at(total, groups.ngroup().to_numpy(), padded)
    return heads.assign(chosen=total.argmax(axis=1))


def _voted(rows: pd.DataFrame) -> pd.DataFrame:
    counted = rows.groupby([*_ANSWER_KEYS, "chosen"], sort=False)["permutation"].agg(["size", "min"]).reset_index()
    ranked = counted.sort_values(["size", "min"], ascending=[False, True], kind="stable")
    return ranked.drop_duplicates(_ANSWER_KEYS)[[*_ANSWER_KEYS, "chosen"]]


def marks(predictions: pd.DataFrame, exam: TestSet, methods: list[str]) -> Floats:
    """(methods, questions): 1.0 where one adapter's answer is right, else 0.0.

    Raises:
        InputError: The adapter did not answer exactly the exam's questions by each of these methods.
    """
    final = answers(predictions)
    rows = []
    for method in methods:
        chosen = final[final["method"] == method].set_index("question_id")["chosen"]
        if not chosen.index.is_unique or set(chosen.index) != set(exam.question_ids):
            key = "/".join(str(predictions[name].iloc[0]) for name in tables.KEYS.names)
            raise InputError(
                f"predictions of {key}, method {method}: {len(chosen)} questions answered, which are not the "
                f"{len(exam.question_ids)} of the test split; delete the file and run again"
            )
        rows.append(chosen.reindex(exam.question_ids).to_numpy() == exam.answers)
    return np.array(rows, dtype=float)


def scores(marked: dict[Adapter, Floats], axes: Axes, methods: list[str]) -> list[Scores]:
    """Stack the `marks` of the whole grid into one block a model, recipe and method."""
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
    same ones and add no independent unit). The change against base is paired by question; its interval resamples
    questions crossed with seeds; `p` flips signs of questions; `q` is Benjamini-Hochberg's over the cells of one model,
    recipe and method, `all` being a family of its own. Accuracies and changes are shares, not points.
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
    ).assign(seed_sd=np.nan, change=np.nan, change_low=np.nan, change_high=np.nan, p=np.nan)


def _adapter_rows(block: Scores, axes: Axes, exam: TestSet, setup: Statistics) -> pd.DataFrame:
    columns = []
    for name, member in exam.members.items():
        right = block.adapters[:, :, member]
        change = right - block.base[member]
        samples = resampling.crossed_bootstrap(change, setup.draws, resampling.generator(setup.seed, "matrix", name))
        low, high = resampling.percentile_interval(samples, setup.confidence)
        flips = resampling.generator(setup.seed, "flips", name)
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
                    "change": change.mean(axis=(1, 2)),
                    "change_low": low,
                    "change_high": high,
                    "p": resampling.sign_flip(change.mean(axis=1), setup.draws, flips),
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
