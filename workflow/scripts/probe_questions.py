"""Ask facts of the train sets, and as many that no train set has, another way than in training."""

import argparse
from pathlib import Path

from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.config.sections import AnySpecialty
from neuro2cardio.core import errors, specialties, tables
from neuro2cardio.questions import probes


class Settings(JobSettings):
    specialties: list[AnySpecialty]
    n: int
    dose: int | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--train-sets", type=Path, required=True, help="folder with {train_set}.parquet")
    parser.add_argument("--ontology", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="the probes (Parquet)")
    args = parser.parse_args()
    settings = Settings.read(args.settings)

    questions = tables.read(args.questions, tables.QUESTIONS)
    slugs = [specialties.slug(name) for name in settings.specialties]
    sets = {slug: tables.read(args.train_sets / f"{slug}.parquet", tables.QUESTIONS) for slug in slugs}
    made = probes.draw(questions, sets, settings.specialties, settings.n, settings.dose, args.ontology)
    tables.write(made, args.out, tables.PROBES)
    print(made.groupby(["specialty", "trained"], sort=False)["fact"].nunique().rename("facts").to_string())


if __name__ == "__main__":
    errors.run(main)
