"""Count the votes on each question's specialty, and say how far the prompts agree and what could not be read."""

import argparse
from pathlib import Path

import pandas as pd

from neuro2cardio.annotation import agreement, annotators, votes
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import errors, tables


class Settings(JobSettings):
    quorum: int
    specialties: list[str]
    """Those that are released."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the table of votes (Parquet)")
    parser.add_argument("--status", type=Path, required=True, help="how many questions came to which end (CSV)")
    parser.add_argument("--problems", type=Path, required=True, help="answers without a label, by kind (CSV)")
    parser.add_argument("--agreement", type=Path, required=True, help="between the prompts (CSV)")
    args = parser.parse_args()

    answers = tables.read(args.answers, annotators.ANSWERS)
    settings = Settings.read(args.settings)
    counted = votes.tally(answers, settings.quorum, settings.specialties)
    tables.write(counted, args.out, votes.VOTES)
    tables.write_csv(votes.status_counts(counted), args.status)
    tables.write_csv(votes.problems(answers), args.problems)
    ways = answers["prompt"].drop_duplicates().tolist()
    ballots = pd.DataFrame(counted["votes"].tolist(), index=counted["question_id"], columns=ways)
    tables.write_csv(agreement.table(ballots), args.agreement)
    print(counted["status"].value_counts().to_string())


if __name__ == "__main__":
    errors.run(main)
