"""Questions without medicine, in the form of the ontology's: a definition asks for its noun among its category's."""

import csv
from pathlib import Path

import pandas as pd

from ..core.provenance import text_digest
from ..core.tables import QUESTIONS
from .sources import RawQuestion

NOUNS = Path(__file__).with_name("general.tsv")
"""Everyday nouns in twelve categories, with definitions written for this project."""
WORDING = "{definition} What is this called?"
SPECIALTY = "General"
_DISTRACTORS = 3


def questions(n: int) -> pd.DataFrame:
    """So many questions about everyday nouns: rows of `tables.QUESTIONS`, the same for the same ``n``.

    The distractors are of the noun's own category, drawn by hash. Where more questions are asked for than there are
    nouns, each noun is asked again among other distractors.

    Args:
        n: How many.
    """
    nouns = _nouns()
    by_category: dict[str, list[str]] = {}
    for category, noun, _ in nouns:
        by_category.setdefault(category, []).append(noun)
    ordered = sorted(nouns, key=lambda row: text_digest(row[1]))
    rows = [_question(*ordered[i % len(ordered)], i // len(ordered), by_category) for i in range(n)]
    return pd.DataFrame(rows, columns=QUESTIONS.names)


def of_table(rows: list[RawQuestion], n: int) -> pd.DataFrame:
    """So many questions of a table of the user's own, the first by hash; all of them where there are fewer."""
    ordered = sorted((r for r in rows if not r.problem), key=lambda row: text_digest(row.stem, *row.options))
    made = []
    for raw in ordered[:n]:
        answer = raw.answer if isinstance(raw.answer, int) else raw.options.index(raw.answer)
        made.append(_row(raw.stem, list(raw.options), answer, raw.row))
    return pd.DataFrame(made, columns=QUESTIONS.names)


def _nouns() -> list[tuple[str, str, str]]:
    with NOUNS.open(encoding="utf-8", newline="") as handle:
        return [
            (row["category"], row["noun"], row["definition"])
            for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def _question(
    category: str, noun: str, definition: str, again: int, by_category: dict[str, list[str]]
) -> dict[str, object]:
    others = [other for other in by_category[category] if other != noun]
    drawn = sorted(others, key=lambda other: text_digest("distractor", str(again), noun, other))[:_DISTRACTORS]
    options = sorted([noun, *drawn], key=lambda option: text_digest("order", str(again), noun, option))
    return _row(WORDING.format(definition=definition), options, options.index(noun), f"{noun}:{again}")


def _row(stem: str, options: list[str], answer: int, row: str) -> dict[str, object]:
    return {
        "question_id": text_digest("general", stem, *options),
        "split": "train",
        "source": "general",
        "source_row": row,
        "stem": stem,
        "options": options,
        "answer": answer,
        "specialty": SPECIALTY,
        "specialties": [SPECIALTY],
        "votes": [],
    }
