"""Draw the questions that experts check, hand them out, and read back what experts answered."""

import argparse
from pathlib import Path

import pandas as pd

from neuro2cardio.annotation import agreement, label_studio, labels, sheets, verification, votes
from neuro2cardio.config.annotation import Verification
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import errors, files, tables


class Settings(JobSettings):
    candidates: list[str] | None
    """What the annotator chose from; None: the 55 of the study."""
    verification: Verification
    own_names: dict[str, str | None]
    """The user's own names of specialties; see `Dataset.own_names`."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--votes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of sheet.csv, label-studio/ and what came back")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    questions, counted = tables.read(args.questions, tables.QUESTIONS), tables.read(args.votes, votes.VOTES)

    given = settings.verification
    sample = verification.draw(counted, given.random, given.per_specialty, given.seed)
    allowed = sheets.allowed(settings.candidates or labels.CANDIDATES, settings.own_names)
    rows = sheets.hand_out(sample, questions)
    files.write_text(args.out / "sheet.csv", sheets.write(rows, allowed))
    files.write_json(args.out / "label-studio/tasks.json", label_studio.tasks(rows))
    files.write_text(args.out / "label-studio/config.xml", label_studio.config(allowed))

    read = [sheets.read_back(path, name, rows, settings.own_names) for name, path in sorted(given.experts.items())]
    ratings = pd.concat(read) if read else pd.DataFrame(columns=sheets.RATINGS)
    trail = verification.judge(counted, sample, ratings)
    tables.write(trail, args.out / "trail.parquet", verification.TRAIL)
    tables.write_csv(trail, args.out / "trail.csv")
    tables.write_csv(agreement.table(verification.wide(ratings)), args.out / "agreement.csv")
    print(f"{len(sample)} questions to check, by {len(read)} experts so far")
    print(trail["verdict"].value_counts().to_string())


if __name__ == "__main__":
    errors.run(main)
