"""Make the question table of an experiment from its data set, with an account of what was refused, dropped or cut."""

import argparse
from pathlib import Path

from pydantic import BaseModel

from neuro2cardio.annotation import release
from neuro2cardio.config.dataset import Dataset
from neuro2cardio.config.sections import Specialty
from neuro2cardio.core import errors, files, tables
from neuro2cardio.questions import question_table, sources


class Settings(BaseModel):
    dataset: Dataset
    specialties: list[Specialty]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="dataset and specialties, as JSON")
    parser.add_argument("--questions", required=True, type=Path, help="the table (Parquet)")
    parser.add_argument("--account", required=True, type=Path, help="folder for the CSV files beside it")
    parser.add_argument("--release", type=Path, help="an annotated data set to read in place of the source")
    args = parser.parse_args()
    settings = Settings.model_validate_json(args.settings)
    dataset = release.as_dataset(args.release, settings.dataset) if args.release else settings.dataset

    table = question_table.build(sources.read(dataset), dataset, settings.specialties)
    tables.write(table.questions, args.questions, tables.QUESTIONS)
    account = {"rejected": table.rejected, "leakage": table.leaked, "flow": table.flow, "summary": table.summary}
    for name, frame in account.items():
        tables.write_csv(frame, args.account / f"{name}.csv")
    files.write_json(args.account / "source.json", sources.describe(dataset))
    print(table.flow.to_string(index=False), table.summary.to_string(index=False), sep="\n\n")


if __name__ == "__main__":
    errors.run(main)
