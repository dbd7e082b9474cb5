"""The mentions table: the clinical terms of every question, and their placebos."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ..core.provenance import text_digest
from ..core.tables import MENTIONS
from . import placebos
from .backends import Backend
from .matching import Mention


def table(questions: pd.DataFrame, backend: Backend, *, with_placebos: bool) -> pd.DataFrame:
    """Mentions (`tables.MENTIONS`) of every question's stem, in the order of the questions and of the text.

    A strict term is followed by its placebos, best first, where `with_placebos`. Document frequencies, by which
    placebos are matched, are those of all questions given.
    """
    frequency = placebos.document_frequency(questions["stem"])
    rows = [
        row
        for question_id, stem in zip(questions["question_id"], questions["stem"], strict=True)
        for row in _rows(question_id, stem, backend.extract(stem), frequency if with_placebos else None)
    ]
    return pd.DataFrame(rows, columns=MENTIONS.names)


def mention_id(question_id: str, start: int, end: int) -> str:
    """The id of a mention, which is unique because no two mentions of a question (or placebos) have the same place."""
    return text_digest(question_id, str(start), str(end))


def _rows(
    question_id: str, stem: str, found: list[Mention], frequency: Counter[str] | None
) -> Iterator[dict[str, Any]]:
    beside: dict[int, list[placebos.Placebo]] = {}
    for placebo in placebos.match(stem, found, frequency) if frequency is not None else ():
        beside.setdefault(placebo.term, []).append(placebo)
    for index, mention in enumerate(found):
        if mention.scope != "none":
            term = {
                **_place(question_id, stem, mention.start, mention.end),
                "concept_ids": list(mention.concept_ids),
                "specialties": list(mention.specialties),
                "kind": mention.kind,
                "scope": mention.scope,
                "matched_to": "",
            }
            yield term
            for placebo in sorted(beside.get(index, ()), key=lambda p: p.rank):
                place = _place(question_id, stem, placebo.start, placebo.end)
                nothing = {"concept_ids": [], "specialties": [], "kind": "placebo", "matched_to": term["mention_id"]}
                yield term | nothing | place


def _place(question_id: str, stem: str, start: int, end: int) -> dict[str, Any]:
    return {
        "mention_id": mention_id(question_id, start, end),
        "question_id": question_id,
        "start": start,
        "end": end,
        "text": stem[start:end],
    }


def summary(mentions: pd.DataFrame) -> str:
    """One line for the log: how many terms and placebos, and how many strict terms have no placebo beside them."""
    placebo = mentions["kind"] == "placebo"
    strict = mentions[~placebo & (mentions["scope"] == "strict")]
    broad = (~placebo & (mentions["scope"] == "broad")).sum()
    alone = (~strict["mention_id"].isin(mentions["matched_to"])).sum()
    return f"{len(strict)} strict and {broad} broad mentions; {placebo.sum()} placebos, {alone} strict without one"
