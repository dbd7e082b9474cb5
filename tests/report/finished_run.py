"""A finished run with planted effects, as the workflow leaves it: every table of the page, made by the library."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import planted

from neuro2cardio.analysis import (
    adapter_checks,
    answer_mass,
    answers,
    effect_tables,
    position_bias,
    power,
    references,
    term_shift,
    transfer,
    verdict,
)
from neuro2cardio.config.analysis import SmallestEffect, Statistics
from neuro2cardio.core import files, tables
from neuro2cardio.core.adapters import BASE, Adapter, Axes
from neuro2cardio.core.base_rows import FEW_SHOT
from neuro2cardio.core.specialties import slug
from neuro2cardio.questions.test_set import TestSet

METHODS = ["cloze", "letter"]
STATISTICS = Statistics()


def gain(train_set: str, held: list[str]) -> float:
    """Most of the planted gain is format; an own adapter adds to it."""
    return {"general": 0.04, "shuffled-answers": 0.07}.get(train_set, 0.1 + 0.06 * (train_set in map(slug, held)))


def shift(train_set: str, held: list[str], kind: str) -> float:
    """Terms become likelier whatever was trained on, own terms a little more."""
    return 0.0 if kind == "placebo" else 0.15 + 0.05 * (train_set in map(slug, held))


def write(
    folder: Path,
    axes: Axes,
    asked: pd.DataFrame,
    mentions: pd.DataFrame,
    broken: str = "",
    methods: Sequence[str] = METHODS,
) -> Path:
    """Everything from the test split to the verdict.

    Args:
        folder: The experiment's results.
        axes: The grid.
        asked: The question table, all of it test questions.
        mentions: Its terms and placebos.
        broken: A train set whose adapters stopped learning.
        methods: How answers are read.
    """
    tables.write(asked, folder / "test_split/questions.parquet", tables.QUESTIONS)
    tables.write(mentions, folder / "test_split/mentions.parquet", tables.MENTIONS)
    planted.predictions(folder / "predictions", axes, asked, gain, methods=methods, spread=0.01, pull=0.1)
    if "cloze" in methods:
        _few_shot(folder / "predictions", axes, asked)
    planted.term_logprobs(folder / "term_logprobs", axes, mentions, shift, contexts=["prompt"])
    planted.training_curves(folder / "adapters", axes)
    if broken:
        _stop_learning(folder / "adapters", axes, broken)
    _questions(folder, axes, asked)
    exam = TestSet.of(asked, axes.specialties)
    _tables(folder, axes, exam, list(methods))
    _terms(folder, axes, exam, mentions)
    _verdict(folder)
    _plan(folder, axes, exam, len(methods))
    return folder


def _few_shot(folder: Path, axes: Axes, asked: pd.DataFrame) -> None:
    """The base model after worked examples: as the base model, and a tenth of the questions more."""
    right = np.arange(len(asked)) % 10 == 0
    for model in axes.model:
        base = tables.read(Adapter.base(model).path(folder), tables.PREDICTIONS)
        own = planted.answered(asked, right, "cloze", 0.0, np.random.default_rng(0))
        own = pd.concat([own, base[base["method"] == "letter"][own.columns]], ignore_index=True)
        kept = base[base["method"] == "cloze"].set_index("question_id")
        wrong = (own["method"] == "cloze") & ~own["correct"]
        for name in ("option_logprobs", "chosen", "correct"):
            own.loc[wrong, name] = own.loc[wrong, "question_id"].map(kept[name])
        own = own.assign(**Adapter.base_row(model, FEW_SHOT)._asdict()).astype({"chosen": int, "correct": bool})
        tables.write(own, Adapter.base_row(model, FEW_SHOT).path(folder), tables.PREDICTIONS)


def _stop_learning(folder: Path, axes: Axes, train_set: str) -> None:
    for adapter in (a for a in axes.everything() if a.train_set == train_set):
        path = adapter.path(folder, "") / "training.csv"
        curve = pd.read_csv(path)
        curve.loc[curve.index[5:], "grad_norm"] = 0.0
        tables.write_csv(curve.assign(loss=2.6), path)


def _questions(folder: Path, axes: Axes, asked: pd.DataFrame) -> None:
    """What became of the rows on the way to the test set."""
    steps = [("rows read", 3000), ("valid", 2950), ("without duplicates", 2900), ("test questions", len(asked))]
    tables.write_csv(pd.DataFrame(steps, columns=["step", "n"]), folder / "questions/flow.csv")
    leaked = [{"question_id": "t1", "as_question_id": asked["question_id"].iloc[0], "jaccard": 0.93}]
    tables.write_csv(pd.DataFrame(leaked), folder / "questions/leakage.csv")


def _tables(folder: Path, axes: Axes, exam: TestSet, methods: list[str]) -> None:
    marked, answered, letters, masses, trained = {}, [], [], [], []
    few_shot = [Adapter.base_row(model, FEW_SHOT) for model in axes.model if "cloze" in methods]
    for adapter in [*axes.everything(), *few_shot]:
        frame = tables.read(adapter.path(folder / "predictions"), tables.PREDICTIONS)
        given = answers.answers(frame)
        marked[adapter] = answers.marks(given, exam, methods)
        if adapter in few_shot:
            continue
        answered.append(adapter_checks.of_answers(frame, given, exam))
        letters.append(position_bias.letters(frame, exam))
        masses.append(answer_mass.of_adapter(frame))
        if adapter.recipe != BASE:
            curve = pd.read_csv(adapter.path(folder / "adapters", "") / "training.csv")
            trained.append(adapter_checks.of_training(adapter, curve, {"vocabulary": 49152}))
    blocks = transfer.scores(marked, axes, methods)
    compared = references.by_method(marked, methods)
    made = {
        "changes_against": references.table(compared, axes, exam.members, STATISTICS.confidence),
        "transfer_matrix": transfer.matrix(blocks, axes, exam, STATISTICS),
        "diagonal": effect_tables.diagonal(blocks, axes, exam, STATISTICS),
        "effects": effect_tables.effects_table(blocks, axes, exam, STATISTICS),
        "position_bias": position_bias.table(letters, STATISTICS),
        "answer_mass": answer_mass.table(masses),
        "training_checks": adapter_checks.table(answered, trained),
    }
    for name, table in made.items():
        tables.write_csv(table, folder / f"tables/{name}.csv", sealed=True)


def _terms(folder: Path, axes: Axes, exam: TestSet, mentions: pd.DataFrame) -> None:
    def read(adapter: Adapter) -> pd.DataFrame:
        return tables.read(adapter.path(folder / "term_logprobs"), tables.TERM_LOGPROBS)

    shifts, grids, balance = [], [], []
    for model in axes.model:
        design = term_shift.design(read(Adapter.base(model)), mentions, exam, axes.specialties, "prompt", "strict")
        balance.append({"model": model, **design.balance})
        for recipe in axes.recipe:
            blocks = term_shift.shifts(model, recipe, [design], read, axes)
            shifts.append(term_shift.table(blocks, axes, STATISTICS))
            grids.append(term_shift.grid_table(blocks, axes, STATISTICS))
    tables.write_csv(pd.concat(shifts, ignore_index=True), folder / "tables/term_shift.csv", sealed=True)
    tables.write_csv(pd.concat(grids, ignore_index=True), folder / "tables/term_shift_grid.csv", sealed=True)
    tables.write_csv(pd.DataFrame(balance), folder / "tables/placebo_balance.csv", sealed=True)


def _verdict(folder: Path) -> None:
    found = {name: pd.read_csv(folder / f"tables/{name}.csv") for name in ("effects", "diagonal")}
    shifts = pd.read_csv(folder / "tables/term_shift.csv", dtype={"seed": str})
    checks = pd.read_csv(folder / "tables/training_checks.csv", dtype={"flags": str}).fillna({"flags": ""})
    said = verdict.verdict(found["effects"], found["diagonal"], shifts, checks, STATISTICS, "prompt", "strict", None)
    files.write_json(folder / "tables/verdict.json", said)
    files.write_text(folder / "tables/summary.txt", verdict.text(said))


def _plan(folder: Path, axes: Axes, exam: TestSet, n_methods: int) -> None:
    sizes = [int(exam.members[name].sum()) for name in axes.specialties]
    families = len(axes.model) * len(axes.recipe) * n_methods
    table = power.table(sizes, len(axes.seed), families, SmallestEffect(), power.Assumptions(), 0.95)
    tables.write_csv(table, folder / "plan/power.csv")
