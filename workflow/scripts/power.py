"""Say what a grid can find with 80%, before any GPU is used."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from neuro2cardio.analysis import answers, power
from neuro2cardio.config.job_settings import read_json
from neuro2cardio.config.settings import Settings
from neuro2cardio.core import adapters, errors, tables
from neuro2cardio.questions.test_set import TestSet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--mentions", type=Path, required=True)
    parser.add_argument("--term-shift", type=Path, required=True, help="the table of a pilot, where there is one")
    parser.add_argument("--predictions", type=Path, required=True, help="of a pilot, where there are any")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    settings = Settings.model_validate(read_json(args.settings))
    grid, statistics = settings.grid, settings.statistics
    axes = adapters.Axes(
        model=grid.models,
        recipe=grid.recipes,
        train_set=settings.train_sets,
        seed=grid.seeds,
        specialty=grid.specialties,
    )
    test_set = TestSet.of(tables.read(args.questions, tables.QUESTIONS), grid.specialties)
    sizes = [int(test_set.members[name].sum()) for name in grid.specialties]
    families = len(grid.models) * len(grid.recipes) * len(settings.inference.methods)
    given = pilot(args.predictions, axes, test_set, settings.inference.methods[0])
    rows = power.table(sizes, len(grid.seeds), families, statistics.smallest_effect, given, statistics.confidence)
    if given.several_seeds:
        rows["seeds_needed"] = power.seeds_needed(rows, sizes, statistics.smallest_effect, given, statistics.confidence)
    of_terms, basis = pilot_terms(args.term_shift, settings, _own(axes))
    if of_terms.empty:
        mentions = tables.read(args.mentions, tables.MENTIONS)
        of_terms, basis = assumed_terms(mentions, test_set, settings)
    rows = pd.concat([rows, of_terms], ignore_index=True)
    tables.write_csv(rows, args.out)
    print(power.text(rows, sizes, len(grid.seeds), given, basis), end="")


def pilot(folder: Path, axes: adapters.Axes, test_set: TestSet, method: str) -> power.Assumptions:
    """What the first model and recipe measured, where all of its specialties' adapters were scored."""
    own = [a for a in axes.adapters(axes.model[0], axes.recipe[0]) if a.train_set in _own(axes)]
    if not all(a.path(folder).is_file() for a in own):
        return power.Assumptions()
    read = (answers.answers(adapters.read(folder, adapter, tables.PREDICTIONS)) for adapter in own)
    right = np.array([answers.marks(found, test_set, [method])[0] for found in read])
    return power.measured(right.reshape(len(axes.specialties), len(axes.seed), -1))


def pilot_terms(file: Path, settings: Settings, own: set[str]) -> tuple[pd.DataFrame, str]:
    """What the intervals of the first model and recipe say about terms; no rows without a pilot of all specialties."""
    if not file.is_file():
        return pd.DataFrame(), ""
    shifts = tables.read_csv(file, dtype={"seed": str})
    for name, value in {
        "model": settings.grid.models[0],
        "recipe": next(iter(settings.grid.recipes)),
        "context": settings.terms.contexts[0],
        "scope": settings.terms.scope,
    }.items():
        shifts = shifts[shifts[name] == value]
    if not own <= set(shifts["train_set"]) or shifts["n_seeds"].max() != len(settings.grid.seeds):
        return pd.DataFrame(), ""
    found = power.of_measured_terms(shifts, settings.statistics.confidence)
    return found, f"Terms: from the intervals of {file}."


def assumed_terms(mentions: pd.DataFrame, test_set: TestSet, settings: Settings) -> tuple[pd.DataFrame, str]:
    """What is found with the mentions of the test questions and the effects that they had in the demo."""
    grid, confidence, scope = settings.grid, settings.statistics.confidence, settings.terms.scope
    found = power.of_terms(mentions, test_set, grid.specialties, len(grid.seeds), confidence, scope)
    terms = mentions[mentions["question_id"].isin(test_set.question_ids) & (mentions["kind"] != "placebo")]
    if scope == "strict":
        terms = terms[terms["scope"] == "strict"]
    return found, (
        f"Terms: the {len(terms):,} mentions in {terms['question_id'].nunique():,} of the test questions; how much "
        "words, questions and mentions shift by themselves is assumed as in the demo (with other doses or losses real "
        "grids found 0.5 to 2.9 times these); no pilot was found."
    )


def _own(axes: adapters.Axes) -> set[str]:
    return {axes.train_set[row] for row in axes.specialty_rows}


if __name__ == "__main__":
    errors.run(main)
