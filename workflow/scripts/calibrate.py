"""Measure votes against the truth, as far as it is known, and calibrate the sets of specialties on a part of it."""

import argparse
from pathlib import Path
from typing import Literal

from neuro2cardio.analysis import figures
from neuro2cardio.annotation import conformal, quorum_figure, verification, votes
from neuro2cardio.config.annotation import Conformal
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import errors, tables


class Settings(JobSettings):
    conformal: Conformal
    quorum: int
    """The one that the figure marks."""
    specialties: list[str]
    """Those that are released."""
    formats: list[Literal["png", "svg", "pdf"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--votes", type=Path, required=True)
    parser.add_argument("--trail", type=Path, required=True, help="the experts' verdicts (Parquet)")
    parser.add_argument("--out", type=Path, required=True, help="folder of sets.parquet, quorum.csv, ...")
    args = parser.parse_args()
    settings = Settings.read(args.settings)
    questions, counted = tables.read(args.questions, tables.QUESTIONS), tables.read(args.votes, votes.VOTES)
    names = settings.specialties
    truth = verification.truth(questions, tables.read(args.trail, verification.TRAIL), names)

    quorums = votes.by_quorum(counted, truth, range(1, 6), names=names)
    tables.write_csv(quorums, args.out / "quorum.csv")
    tables.write_csv(votes.confusion(counted, truth, names), args.out / "confusion.csv")
    figures.save(
        quorum_figure.quorum_tradeoff(quorums, settings.quorum), args.out / "figures" / "quorum", settings.formats
    )
    sets, evidence = conformal.label_sets(counted, truth, settings.conformal, names)
    tables.write(sets, args.out / "sets.parquet", conformal.SETS)
    tables.write_csv(evidence, args.out / "conformal.csv")
    if not truth:
        print(
            "no specialties in the source and no expert's sheet: nothing was measured, and sets hold the winner alone"
        )
    print(quorums[quorums["by"] == "all"].to_string(index=False), evidence.head(1).to_string(index=False), sep="\n\n")


if __name__ == "__main__":
    errors.run(main)
