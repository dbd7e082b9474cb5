"""Mark the answers of the whole grid: transfer matrix, diagonal advantage, position bias and checks of adapters."""

import argparse
from itertools import product
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from neuro2cardio.analysis import (
    adapter_checks,
    answer_mass,
    answers,
    effect_tables,
    origins,
    position_bias,
    references,
    transfer,
)
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.config.inference import Method
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import adapters, base_rows, errors, tables
from neuro2cardio.questions.test_set import TestSet


class Settings(JobSettings):
    axes: adapters.Axes
    methods: list[Method]
    base_rows: list[str] = []
    """Which of `base_rows.BASE_ROWS` the base models were scored as, too."""
    statistics: Statistics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True, help="folder with a file for each adapter")
    parser.add_argument("--adapters", type=Path, required=True, help="folder with training.csv and run.json of each")
    parser.add_argument("--matrix", type=Path, required=True)
    parser.add_argument("--diagonal", type=Path, required=True)
    parser.add_argument("--effects", type=Path, required=True)
    parser.add_argument("--position-bias", type=Path, required=True)
    parser.add_argument("--answer-mass", type=Path, required=True)
    parser.add_argument("--checks", type=Path, required=True)
    parser.add_argument("--changes-against", type=Path, help="changes against other rows than the base model")
    parser.add_argument(
        "--base-prompts", type=Path, help="how each wording did on validation, where several were tried"
    )
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    axes, statistics = settings.axes, settings.statistics

    origins.check_tables(args.predictions, axes, settings.base_rows)
    records = origins.records(args.predictions, args.adapters, axes)
    test_set = TestSet.of(tables.read(args.questions, tables.QUESTIONS), axes.specialties)
    marks, ties, letters, masses, answered, trained = {}, {}, [], [], [], []
    rows = [adapters.Adapter.base_row(*point) for point in product(axes.model, settings.base_rows)]
    for adapter in tqdm([*axes.everything(), *rows], unit="adapter", mininterval=5):
        predictions = adapters.read(args.predictions, adapter, tables.PREDICTIONS)
        given = answers.answers(predictions)
        marks[adapter] = answers.marks(given, test_set, settings.methods)
        ties[adapter] = answers.ties(given, test_set, settings.methods)
        answered.append(adapter_checks.of_answers(predictions, given, test_set))
        masses.append(answer_mass.of_adapter(predictions))
        letters.append(position_bias.letters(predictions, test_set))
        if adapter.recipe != base_rows.BASE:
            curve = pd.read_csv(adapter.path(args.adapters, "") / "training.csv")
            trained.append(adapter_checks.of_training(adapter, curve, records[adapter]))
    blocks, tied = (transfer.scores(found, axes, settings.methods) for found in (marks, ties))
    tables.write_csv(transfer.matrix(blocks, axes, test_set, statistics, tied), args.matrix, sealed=True)
    tables.write_csv(effect_tables.diagonal(blocks, axes, test_set, statistics), args.diagonal, sealed=True)
    tables.write_csv(effect_tables.effects_table(blocks, axes, test_set, statistics), args.effects, sealed=True)
    tables.write_csv(position_bias.table(letters, statistics), args.position_bias, sealed=True)
    tables.write_csv(answer_mass.table(masses), args.answer_mass, sealed=True)
    if args.base_prompts:
        chosen = [adapters.Adapter.base_row(model, base_rows.BEST_PROMPT) for model in axes.model]
        tried = pd.concat([pd.read_csv(row.path(args.predictions, ".csv")) for row in chosen])
        tables.write_csv(tried, args.base_prompts, sealed=True)
    if args.changes_against:
        changes = references.table(
            references.by_method(marks, settings.methods), axes, test_set.members, statistics.confidence
        )
        tables.write_csv(changes, args.changes_against, sealed=True)
    checks = adapter_checks.table(answered, trained)
    tables.write_csv(checks, args.checks, sealed=True)
    print(adapter_checks.sentence(checks), flush=True)


if __name__ == "__main__":
    errors.run(main)
