"""Build the lexicon that the settings name: which texts are clinical terms, and of which specialties."""

import argparse
from pathlib import Path

from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.config.terms import Dictionary, Lexicon
from neuro2cardio.core import files, provenance, tables
from neuro2cardio.core.errors import run
from neuro2cardio.terms import lexicon


class Settings(JobSettings):
    lexicon: Lexicon
    max_specialties: int
    further_specialties: list[str] = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--hpo", type=Path, help="hp.obo")
    parser.add_argument("--icd10cm", type=Path, help="tabular list of ICD-10-CM (XML)")
    parser.add_argument("--out", type=Path, required=True, help="lexicon.parquet")
    parser.add_argument("--versions", type=Path, required=True, help="lexicon.json: sources and their versions")
    arguments = parser.parse_args()
    settings = Settings.read(arguments.settings)
    if isinstance(settings.lexicon, Dictionary):
        built = lexicon.dictionary(
            settings.lexicon.path,
            max_specialties=settings.max_specialties,
            declared=settings.further_specialties,
        )
    else:
        built = lexicon.embedded(arguments.hpo, arguments.icd10cm, max_specialties=settings.max_specialties)
    tables.write(built.terms, arguments.out, lexicon.LEXICON)
    files.write_json(arguments.versions, built.versions | provenance.versions("wordfreq"))
    print(f"{len(built.terms)} texts: {built.terms['scope'].value_counts().to_dict()}")


if __name__ == "__main__":
    run(main)
