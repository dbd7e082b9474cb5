"""Find the clinical terms of every question, and placebo words to stand beside them."""

import argparse
import json
from pathlib import Path

from neuro2cardio.config.job_settings import JobSettings
from neuro2cardio.config.terms import Lexicon, Terms
from neuro2cardio.core import files, provenance, tables
from neuro2cardio.core.errors import run
from neuro2cardio.terms import backends, lexicon, mentions


class Settings(JobSettings):
    lexicon: Lexicon
    max_specialties: int
    placebo: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--lexicon", type=Path, required=True)
    parser.add_argument("--lexicon-versions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="mentions.parquet")
    parser.add_argument("--versions", type=Path, required=True, help="mentions.json: what found them")
    arguments = parser.parse_args()
    terms = Terms.model_validate(Settings.read(arguments.settings).model_dump())
    backend = backends.backend(
        terms,
        tables.read(arguments.lexicon, lexicon.LEXICON),
        json.loads(arguments.lexicon_versions.read_text(encoding="utf-8")),
    )
    questions = tables.read(arguments.questions, tables.QUESTIONS)
    found = mentions.table(questions, backend, with_placebos=terms.placebo)
    tables.write(found, arguments.out, tables.MENTIONS)
    files.write_json(arguments.versions, backend.versions() | provenance.versions("pyahocorasick"))
    print(mentions.summary(found))


if __name__ == "__main__":
    run(main)
