"""Build the lexicon that the settings name: which texts are clinical terms, and of which specialties."""

import argparse
from pathlib import Path

from neuro2cardio.config.terms import Dictionary, Terms
from neuro2cardio.core import files, provenance, tables
from neuro2cardio.core.errors import run
from neuro2cardio.terms import lexicon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="JSON: the part of `terms` that matters here")
    parser.add_argument("--hpo", type=Path, help="hp.obo")
    parser.add_argument("--icd10cm", type=Path, help="tabular list of ICD-10-CM (XML)")
    parser.add_argument("--out", type=Path, required=True, help="lexicon.parquet")
    parser.add_argument("--versions", type=Path, required=True, help="lexicon.json: sources and their versions")
    arguments = parser.parse_args()
    terms = Terms.model_validate_json(arguments.settings)
    if isinstance(terms.lexicon, Dictionary):
        built = lexicon.dictionary(terms.lexicon.path, max_specialties=terms.max_specialties)
    else:
        built = lexicon.embedded(arguments.hpo, arguments.icd10cm, max_specialties=terms.max_specialties)
    tables.write(built.terms, arguments.out, lexicon.LEXICON)
    files.write_json(arguments.versions, built.versions | provenance.versions("wordfreq"))
    print(f"{len(built.terms)} texts: {built.terms['scope'].value_counts().to_dict()}")


if __name__ == "__main__":
    run(main)
