"""Set the effects of recipes that differ in their dose side by side, with what the largest adds to the smallest."""

import argparse
from functools import partial
from pathlib import Path

import pandas as pd

from neuro2cardio.analysis import answers, dose, figures, probes, transfer
from neuro2cardio.analysis.transfer import Scores
from neuro2cardio.config.analysis import Figures, Statistics
from neuro2cardio.config.inference import Method
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import adapters, errors, tables
from neuro2cardio.questions.test_set import TestSet


class Settings(JobSettings):
    axes: adapters.Axes
    methods: list[Method]
    series: dict[str, list[str]]
    """Recipes that differ in their dose alone, by the first of them."""
    epochs: dict[str, int]
    train_size: dict[str, int | None]
    statistics: Statistics
    figures: Figures


def doses(settings: Settings, sizes: list[int]) -> list[dose.Dose]:
    """The dose of each recipe of a series, for train sets of these sizes."""
    found = []
    for series, recipes in settings.series.items():
        for recipe in recipes:
            most = settings.train_size[recipe]
            questions = sum(min(size, most or size) for size in sizes) / len(sizes)
            found.append(dose.Dose(recipe, series, questions, settings.epochs[recipe]))
    return found


def blocks(folder: Path, test_set: TestSet, settings: Settings) -> list[Scores]:
    """Marked answers of the recipes that differ in their dose."""
    recipes = [recipe for recipes in settings.series.values() for recipe in recipes]
    axes = settings.axes.model_copy(update={"recipe": recipes})
    marks = {}
    for adapter in axes.everything():
        given = answers.answers(adapters.read(folder, adapter, tables.PREDICTIONS))
        marks[adapter] = answers.marks(given, test_set, settings.methods)
    return transfer.scores(marks, axes, settings.methods)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--train-sets", type=Path, required=True, help="folder of {train_set}.parquet")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True, help="folder with a file for each adapter")
    parser.add_argument("--effects", type=Path, required=True)
    parser.add_argument("--checks", type=Path, required=True)
    parser.add_argument("--probes", type=Path, help="what was found on facts asked another way")
    parser.add_argument("--probe-questions", type=Path, help="these facts, with --probes")
    parser.add_argument("--probe-predictions", type=Path, help="folder of the answers to them")
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--figures", type=Path, required=True, help="folder with a folder for each model")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    axes = settings.axes

    names = [axes.train_set[row] for row in axes.specialty_rows]
    sizes = [len(tables.read(args.train_sets / f"{name}.parquet", tables.QUESTIONS)) for name in names]
    given = doses(settings, sizes)
    test_set = TestSet.of(tables.read(args.questions, tables.QUESTIONS), axes.specialties)
    asked = None
    if args.probes:
        facts = tables.read(args.probe_questions, tables.PROBES)
        asked = blocks(args.probe_predictions, probes.test_set(facts, axes.specialties), settings), facts
    answered = blocks(args.predictions, test_set, settings)
    found = dose.table(
        given,
        tables.read_csv(args.effects),
        tables.read_csv(args.checks, dtype={"flags": str}, keep_default_na=True),
        tables.read_csv(args.probes) if args.probes else None,
        dose.added(given, answered, axes, test_set, settings.statistics, asked),
    )
    tables.write_csv(found, args.table, sealed=True)
    for model in axes.model:
        for method in settings.methods:
            draw = partial(figures.dose_figure, found, {"model": model, "method": method})
            figures.save_widths(draw, args.figures / model / f"dose-{method}", settings.figures.formats)
    with pd.option_context("display.width", 200):
        print(found.drop(columns=["p", "n_questions", "n_adapters"]).to_string(index=False))


if __name__ == "__main__":
    errors.run(main)
