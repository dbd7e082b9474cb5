"""Release the annotated data set: S-MedQA's JSON, Parquet with votes and sets, splits without leakage, a data card."""

import argparse
from pathlib import Path

from neuro2cardio.annotation import conformal, release, verification, votes
from neuro2cardio.config.dataset import Dataset
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.core import errors, tables
from neuro2cardio.questions import sources


class Settings(JobSettings):
    dataset: Dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--folder", type=Path, required=True, help="results of the steps before")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    args = parser.parse_args()
    dataset = Settings.read(args.settings).dataset
    if (annotation := dataset.annotation) is None:
        raise errors.InputError("a release needs dataset.annotation")
    counted = tables.read(args.folder / "votes.parquet", votes.VOTES)
    sets = tables.read(args.folder / "sets.parquet", conformal.SETS)
    trail = tables.read(args.folder / "verification/trail.parquet", verification.TRAIL)
    raw = list(sources.read(dataset))

    decided = release.decide(counted, sets, trail, annotation.conformal.max_specialties, dataset.all_specialties)
    made = release.assemble(raw, decided, counted, sets, dataset)
    facts, evidence = (
        release.facts(dataset, sources.describe(dataset)),
        release.evidence(args.folder, annotation.quorum),
    )
    release.write(made, args.out, release.card(made, facts, evidence, annotation))
    print(release.sizes(made).to_string(index=False))


if __name__ == "__main__":
    errors.run(main)
