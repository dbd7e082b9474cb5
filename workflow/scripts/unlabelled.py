"""Check the questions of a source as the grid does, whatever their specialties: what is to be annotated."""

import argparse
from pathlib import Path

from neuro2cardio.config.dataset import Dataset
from neuro2cardio.core import errors, tables
from neuro2cardio.questions import question_table, sources


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="dataset, as JSON")
    parser.add_argument("--max-questions", type=int, help="keep only so many, the first by id")
    parser.add_argument("--questions", type=Path, required=True, help="the table (Parquet)")
    parser.add_argument("--rejected", type=Path, required=True, help="what was refused, row by row (CSV)")
    args = parser.parse_args()
    dataset = Dataset.model_validate_json(args.settings)

    table, rejected = question_table.unlabelled(sources.read(dataset), dataset)
    kept = table.head(args.max_questions) if args.max_questions else table
    tables.write(kept, args.questions, tables.QUESTIONS)
    tables.write_csv(rejected, args.rejected)
    known = int((kept["specialty"] != "").sum())
    print(f"{len(kept)} of {len(table)} questions, {len(rejected)} rows refused or doubled")
    print(f"{known} questions have a specialty in the source: the truth to measure the annotator against")


if __name__ == "__main__":
    errors.run(main)
