"""Make the question table of an experiment from its data set, with an account of what was refused, dropped or cut."""

import argparse
from pathlib import Path

from neuro2cardio.annotation import release
from neuro2cardio.config.dataset import Dataset
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.config.sections import AnySpecialty
from neuro2cardio.core import errors, files, tables
from neuro2cardio.questions import moves, question_table, sources


class Settings(JobSettings):
    dataset: Dataset
    specialties: list[AnySpecialty]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--out", required=True, type=Path, help="the table (Parquet)")
    parser.add_argument("--account", required=True, type=Path, help="folder for the CSV files beside it")
    parser.add_argument("--job-cache", required=True, type=Path, help="where the splits of the last run are remembered")
    parser.add_argument("--release", type=Path, help="an annotated data set to read in place of the source")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    dataset = release.as_dataset(args.release, settings.dataset) if args.release else settings.dataset

    table = question_table.build(sources.read(dataset), dataset, settings.specialties)
    tables.write(table.questions, args.out, tables.QUESTIONS)
    moved = moves.since(args.job_cache / "splits.csv", table.questions)
    account = {
        "rejected": table.rejected,
        "leakage": table.leaked,
        "similar": table.similar,
        "flow": table.flow,
        "summary": table.summary,
        "moved": moved,
    }
    for name, frame in account.items():
        tables.write_csv(frame, args.account / f"{name}.csv")
    files.write_json(args.account / "source.json", sources.describe(dataset))
    moves.remember(table.questions, args.job_cache / "splits.csv")
    print(table.flow.to_string(index=False), table.summary.to_string(index=False), moves.sentence(moved), sep="\n\n")


if __name__ == "__main__":
    errors.run(main)
