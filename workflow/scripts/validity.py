"""Measure a lexicon: coverage, ambiguity, and agreement of a question's terms with its label."""

import argparse
from pathlib import Path

from neuro2cardio.core import tables
from neuro2cardio.core.errors import run
from neuro2cardio.terms import lexicon, validity


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--lexicon", type=Path, required=True)
    parser.add_argument("--mentions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="validity.csv")
    arguments = parser.parse_args()
    measured = validity.validity(
        tables.read(arguments.questions, tables.QUESTIONS),
        tables.read(arguments.lexicon, lexicon.LEXICON),
        tables.read(arguments.mentions, tables.MENTIONS),
    )
    tables.write_csv(measured, arguments.out)
    print(validity.report(measured))


if __name__ == "__main__":
    run(main)
