"""What differs between runs: cells of their transfer matrices, shifts of their terms, and how they were made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
import pandas as pd

from ..analysis import answers, paired
from ..analysis.resampling import benjamini_hochberg
from ..core import tables
from ..core.adapters import Adapter
from ..core.base_rows import BASE, BASE_ROWS
from ..core.errors import InputError
from ..questions.identity import normalise
from ..questions.test_set import ALL
from . import term_comparison
from .collect import Collected
from .run_settings import Run, differences as settings_differences, run_table

Floats = NDArray[np.float64]
MEASURES = ("accuracy", "change")
"""Differences of accuracies, and of changes against each run's own base model."""


@dataclass(frozen=True)
class Pair:
    """A model and recipe of the first run and those of the other that they are compared with."""

    first: tuple[str, str]
    other: tuple[str, str]

    @property
    def names(self) -> dict[str, str]:
        """The columns model and recipe: both names where they differ."""
        joined = (a if a == b else f"{a} / {b}" for a, b in zip(self.first, self.other, strict=True))
        return dict(zip(("model", "recipe"), joined, strict=True))


@dataclass(frozen=True)
class Common:
    """The test questions that two runs share.

    Attributes:
        ids: Their ids, in the order of the first run.
        members: For each test specialty of the first run that has any, and `all`: (questions,) bool.
        at: Where they stand in the first and in the other run's test set, each (questions,).
    """

    ids: pd.Index
    members: dict[str, NDArray[np.bool_]]
    at: tuple[NDArray[np.int64], NDArray[np.int64]]


def collect(folders: Sequence[Path]) -> tuple[Collected, pd.DataFrame]:
    """Compare runs with the first of them.

    Args:
        folders: Results of two runs or more.

    Returns:
        What the page shows, and the table of differences of cells.

    Raises:
        InputError: Fewer than two folders, or one that is not the results folder of a run.
    """
    if len(folders) < 2:
        raise InputError("a comparison needs two results folders or more: --config runs=results/a,results/b")
    runs = _named([Run.read(folder) for folder in folders])
    first = runs[0]
    page = Collected({"specialties": first.axes.specialties, "runs": run_table(runs), "answers": []})
    page.data["settings"] = settings_differences(runs)
    frames, terms, shown = [], [], set[str]()
    for other in runs[1:]:
        common = _common(page, first, other)
        if common is None:
            continue
        shown |= set(common.ids)
        for pair in _pairs(page, first, other):
            frames += list(_cells(page, (first, other), pair, common))
            terms += term_comparison.rows((first, other), pair.first, pair.other, page.missing, pair.names)
    table = _with_q(frames)
    page.data["differences"] = _plain(table)
    page.data["terms"] = _plain(term_comparison.table(terms))
    page.data["questions"] = _questions(first, shown)
    _pack(page)
    page.data["missing"] = page.missing
    return page, table


def _named(runs: list[Run]) -> list[Run]:
    """The runs with names of their own: two checkouts may call their experiments alike."""
    names = [run.name for run in runs]
    if len(set(names)) == len(names):
        return runs
    return [run.renamed(f"{run.name} ({i})") for i, run in enumerate(runs, start=1)]


def _common(page: Collected, first: Run, other: Run) -> Common | None:
    """The questions of both runs, and on the page what became of the others."""
    both = first.test_set.question_ids[first.test_set.question_ids.isin(other.test_set.question_ids)]
    same = pd.Index([i for i in both if _same(first.questions.loc[i], other.questions.loc[i])])
    sizes = [len(run.test_set.question_ids) for run in (first, other)]
    said = f"{first.name} has {sizes[0]} test questions, {other.name} {sizes[1]}"
    if same.empty:
        page.missing.append(f"{said}, and they have none in common: there is nothing to compare")
        return None
    if len(same) < max(sizes):
        page.left_out.append(f"{said}: everything here is about the {len(same)} that both have")
    if changed := len(both) - len(same):
        page.left_out.append(f"{changed} questions have the same id in {first.name} and {other.name}, but another text")
    moved = sum(first.questions.at[i, "specialties"] != other.questions.at[i, "specialties"] for i in same)
    if moved:
        page.left_out.append(f"{moved} questions have other specialties in {other.name}; those of {first.name} count")
    at = (first.test_set.question_ids.get_indexer(same), other.test_set.question_ids.get_indexer(same))
    members = {name: member[at[0]] for name, member in first.test_set.members.items() if member[at[0]].any()}
    return Common(same, members, at)


def _same(a: "pd.Series[Any]", b: "pd.Series[Any]") -> bool:
    """Whether two rows ask the same: text, options and the right one. Ids can be the user's own."""
    options = [sorted(map(normalise, row["options"])) for row in (a, b)]
    right = [normalise(row["options"][row["answer"]]) for row in (a, b)]
    return normalise(a["stem"]) == normalise(b["stem"]) and options[0] == options[1] and right[0] == right[1]


def _pairs(page: Collected, first: Run, other: Run) -> Iterator[Pair]:
    models = _matched(page, "models", first.axes.model, other.axes.model)
    recipes = _matched(page, "recipes", first.axes.recipe, other.axes.recipe)
    for model in models:
        for recipe in recipes:
            yield Pair((model[0], recipe[0]), (model[1], recipe[1]))


def _matched(page: Collected, what: str, first: list[str], other: list[str]) -> list[tuple[str, str]]:
    """Names that both have; where they have none in common but one each, those two."""
    if both := [(name, name) for name in first if name in other]:
        return both
    if len(first) == len(other) == 1:
        return [(first[0], other[0])]
    page.missing.append(f"the runs have no {what} in common: {', '.join(first)}; {', '.join(other)}")
    return []


def _cells(page: Collected, runs: tuple[Run, Run], pair: Pair, common: Common) -> Iterator[pd.DataFrame]:
    """Differences of every row and test specialty that both runs have, by method."""
    methods = [method for method in runs[0].methods if method in runs[1].methods]
    if not methods:
        page.missing.append(f"the runs have no method in common: {runs[0].methods}; {runs[1].methods}")
        return
    rows = [name for name in runs[0].axes.train_set if name in runs[1].axes.train_set]
    marks = [
        _right(page, run, own, (BASE, *BASE_ROWS, *rows))
        for run, own in zip(runs, (pair.first, pair.other), strict=True)
    ]
    names = [name for name in (BASE, *BASE_ROWS, *rows) if name in marks[0] and name in marks[1]]
    for method in methods if BASE in names else []:
        right = [
            np.stack([own[name][run.methods.index(method)][at] for name in names])
            for run, own, at in zip(runs, marks, common.at, strict=True)
        ]
        key = {"first_run": runs[0].name, "run": runs[1].name, **pair.names, "method": method}
        for name, row in zip(names, np.stack(right, axis=1), strict=True):
            page.data["answers"].append({**key, "train_set": name, "ids": common.ids, "right": row})
        yield _table(key, names, right[0], right[1], common, runs[0].confidence)


def _right(page: Collected, run: Run, own: tuple[str, str], rows: Sequence[str]) -> dict[str, Floats]:
    """For each row that is there with all its seeds: (methods, questions), the share of seeds that are right."""
    found = {}
    for name in rows:
        based = name in (BASE, *BASE_ROWS)
        adapters = [Adapter(own[0], BASE, name, -1)] if based else [Adapter(*own, name, s) for s in run.axes.seed]
        paths = [adapter.path(run.folder / "predictions") for adapter in adapters]
        if not all(path.is_file() for path in paths):
            if name not in BASE_ROWS:
                page.missing.append(f"{run.name}: {'/'.join(own)}/{name} is not scored yet")
            continue
        try:
            frames = [tables.read(path, tables.PREDICTIONS) for path in paths]
            found[name] = np.mean(
                [answers.marks(answers.answers(f), run.test_set, run.methods) for f in frames], axis=0
            )
        except InputError as error:
            page.missing.append(f"{run.name}: {error}")
    return found


def _table(
    key: dict[str, str], names: list[str], first: Floats, other: Floats, common: Common, confidence: float
) -> pd.DataFrame:
    """One row a measure, row of the matrix and test specialty; both arrays are (rows, questions), base first."""
    frames = []
    for measure in MEASURES:
        shift = (0, 0) if measure == "accuracy" else (first[0], other[0])
        a, b = (
            (first - shift[0], other - shift[1])
            if measure == "accuracy"
            else (first[1:] - shift[0], other[1:] - shift[1])
        )
        own = names if measure == "accuracy" else names[1:]
        for test, member in common.members.items():
            found = _difference(b[:, member] - a[:, member], confidence)
            means = {"first": a[:, member].mean(axis=1), "other": b[:, member].mean(axis=1)}
            head = {**key, "measure": measure, "train_set": own, "test_specialty": test, "n_questions": member.sum()}
            frames.append(pd.DataFrame({**head, **means, **found}))
    return pd.concat(frames, ignore_index=True)


def _difference(values: Floats, confidence: float) -> dict[str, Floats | NDArray[np.int64]]:
    """Paired by question, as `paired.change`; differences of changes lie between -2 and 2, and are halved for it.

    Where no question differs there is no interval: the runs are equal there, not just alike.
    """
    found = paired.change(values / 2, confidence)
    some = found.discordant > 0
    low, high, p = (np.where(some, part, np.nan) for part in (2 * found.low, 2 * found.high, found.p))
    return {"difference": 2 * found.mean, "low": low, "high": high, "p": p, "n_discordant": found.discordant}


def _with_q(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """All differences with q: Benjamini-Hochberg's over the cells of one heatmap, `all` being a family of its own."""
    if not frames:
        return pd.DataFrame()
    table = pd.concat(frames, ignore_index=True)
    key = ["first_run", "run", "model", "recipe", "method", "measure"]
    family = [*(table[name] for name in key), table["test_specialty"] == ALL]
    table["q"] = table.groupby(family)["p"].transform(benjamini_hochberg)
    return table


def _plain(table: pd.DataFrame) -> dict[str, Any]:
    cells = table.astype(object).where(table.notna(), None)
    return {"columns": list(table.columns), "rows": cells.to_numpy().tolist()}


def _questions(first: Run, shown: set[str]) -> list[dict[str, Any]]:
    own = first.questions[first.questions.index.isin(shown)]
    return [
        {"id": i, "stem": q.stem, "options": q.options, "answer": q.answer, "specialties": q.specialties}
        for i, q in zip(own.index, own.itertuples(), strict=True)
    ]


def _pack(page: Collected) -> None:
    """Shares of right answers in 254ths, first all of the first run and then all of the other; 255 is not asked."""
    ids = pd.Index([q["id"] for q in page.data["questions"]])
    for entry in page.data["answers"]:
        coded = np.full((2, len(ids)), 255, np.uint8)
        coded[:, ids.get_indexer(entry.pop("ids"))] = np.round(254 * entry.pop("right"))
        entry["offset"] = page.add(coded.tobytes())
