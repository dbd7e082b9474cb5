"""Mark the answers of the whole grid: transfer matrix, diagonal advantage, position bias and checks of adapters."""

import argparse
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from neuro2cardio.analysis import adapter_checks, answer_mass, answers, effect_tables, origins, position_bias, transfer
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.config.inference import Method
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import adapters, errors, tables
from neuro2cardio.questions.test_set import TestSet


class Settings(JobSettings):
    axes: adapters.Axes
    methods: list[Method]
    few_shot: bool = False
    """Whether the base models were scored after worked examples, too."""
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
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    axes, statistics = settings.axes, settings.statistics

    origins.check_tables(args.predictions, axes, few_shot=settings.few_shot)
    records = origins.records(args.predictions, args.adapters, axes)
    exam = TestSet.of(tables.read(args.questions, tables.QUESTIONS), axes.specialties)
    marks, ties, letters, masses, answered, trained = {}, {}, [], [], [], []
    few_shot = [adapters.Adapter.few_shot(model) for model in axes.model] if settings.few_shot else []
    for adapter in tqdm([*axes.everything(), *few_shot], unit="adapter", mininterval=5):
        predictions = adapters.read(args.predictions, adapter, tables.PREDICTIONS)
        given = answers.answers(predictions)
        marks[adapter] = answers.marks(given, exam, settings.methods)
        ties[adapter] = answers.ties(given, exam, settings.methods)
        answered.append(adapter_checks.of_answers(predictions, given, exam))
        masses.append(answer_mass.of_adapter(predictions))
        letters.append(position_bias.letters(predictions, exam))
        if adapter.recipe != adapters.BASE:
            curve = pd.read_csv(adapter.path(args.adapters, "") / "training.csv")
            trained.append(adapter_checks.of_training(adapter, curve, records[adapter]))
    blocks, tied = (transfer.scores(found, axes, settings.methods) for found in (marks, ties))
    tables.write_csv(transfer.matrix(blocks, axes, exam, statistics, tied), args.matrix, sealed=True)
    tables.write_csv(effect_tables.diagonal(blocks, axes, exam, statistics), args.diagonal, sealed=True)
    tables.write_csv(effect_tables.effects_table(blocks, axes, exam, statistics), args.effects, sealed=True)
    tables.write_csv(position_bias.table(letters, statistics), args.position_bias, sealed=True)
    tables.write_csv(answer_mass.table(masses), args.answer_mass, sealed=True)
    checks = adapter_checks.table(answered, trained)
    tables.write_csv(checks, args.checks, sealed=True)
    print(adapter_checks.sentence(checks), flush=True)


if __name__ == "__main__":
    errors.run(main)
