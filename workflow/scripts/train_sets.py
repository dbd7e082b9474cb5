"""Cut the train set of every specialty and control from the question table."""

import argparse
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd

from neuro2cardio.config.dataset import Dataset, Table
from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.config.sections import AnySpecialty
from neuro2cardio.core import errors, tables
from neuro2cardio.questions import general, sources, train_sets


class Settings(JobSettings):
    specialties: list[AnySpecialty]
    controls: list[str]
    train_size: Literal["matched", "natural"] | int
    general: Table | None


def own_general(table: Table, n: int) -> pd.DataFrame:
    """Questions without medicine from the user's own table."""
    dataset = Dataset(origin=table)
    return general.of_table(list(sources.read(dataset)), n)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path, help="folder for {train_set}.parquet")
    parser.add_argument("--overlap", required=True, type=Path, help="which train sets share questions (CSV)")
    args = parser.parse_args()
    settings = Settings.read(args.settings)

    table = tables.read(args.questions, tables.QUESTIONS)
    make_general = partial(own_general, settings.general) if settings.general else general.questions
    sets = train_sets.build(table, settings.specialties, settings.controls, settings.train_size, make_general)
    for name, frame in sets.items():
        tables.write(frame, args.out / f"{name}.parquet", tables.QUESTIONS, {"train_set": name})
        print(f"{name}: {len(frame)} questions")
    tables.write_csv(train_sets.overlap(sets), args.overlap)


if __name__ == "__main__":
    errors.run(main)
