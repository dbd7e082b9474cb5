"""Check the questions of a source as the grid does, whatever their specialties: what is to be annotated."""

import argparse
from pathlib import Path

from neuro2cardio.config.dataset import Dataset
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import errors, tables
from neuro2cardio.questions import question_table, sources


class Settings(JobSettings):
    dataset: Dataset
    max_questions: int | None
    """Keep only so many, the first by id."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--out", type=Path, required=True, help="the table (Parquet)")
    parser.add_argument("--rejected", type=Path, required=True, help="what was refused, row by row (CSV)")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    dataset, limit = settings.dataset, settings.max_questions

    table, rejected = question_table.unlabelled(sources.read(dataset), dataset)
    kept = table.head(limit) if limit else table
    tables.write(kept, args.out, tables.QUESTIONS)
    tables.write_csv(rejected, args.rejected)
    known = int((kept["specialty"] != "").sum())
    print(f"{len(kept)} of {len(table)} questions, {len(rejected)} rows refused or doubled")
    print(f"{known} questions have a specialty in the source: the truth to measure the annotator against")


if __name__ == "__main__":
    errors.run(main)
