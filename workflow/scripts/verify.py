"""Draw the questions that experts check, hand them out, and read back what experts answered."""

import argparse
from pathlib import Path

import pandas as pd

from neuro2cardio.annotation import agreement, labels, verification, votes
from neuro2cardio.config.annotation import Annotation
from neuro2cardio.core import errors, files, tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="annotation, as JSON")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--votes", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="sheet.csv, label-studio/ and what came back")
    args = parser.parse_args()
    annotation = Annotation.model_validate_json(args.settings)
    questions, counted = tables.read(args.questions, tables.QUESTIONS), tables.read(args.votes, votes.VOTES)

    given = annotation.verification
    sample = verification.draw(counted, given.random, given.per_specialty, given.seed)
    files.write_text(args.folder / "sheet.csv", verification.sheet(sample, questions))
    files.write_json(args.folder / "label-studio/tasks.json", verification.label_studio_tasks(sample, questions))
    names = labels.check_candidates(annotation.candidates or labels.CANDIDATES)
    files.write_text(args.folder / "label-studio/config.xml", verification.label_studio_config(names))

    read = [verification.read_back(path, name, sample, questions) for name, path in sorted(given.experts.items())]
    ratings = pd.concat(read) if read else pd.DataFrame(columns=verification.RATINGS)
    trail = verification.judge(counted, sample, ratings)
    tables.write(trail, args.folder / "trail.parquet", verification.TRAIL)
    tables.write_csv(trail, args.folder / "trail.csv")
    tables.write_csv(agreement.table(verification.wide(ratings)), args.folder / "agreement.csv")
    print(f"{len(sample)} questions to check, by {len(read)} experts so far")
    print(trail["verdict"].value_counts().to_string())


if __name__ == "__main__":
    errors.run(main)
