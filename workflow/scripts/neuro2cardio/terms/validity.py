"""Lexicon coverage, ambiguity and agreement with labels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..core.specialties import with_others
from ..core.tables import SCOPES
from . import placebos


def validity(questions: pd.DataFrame, lexicon: pd.DataFrame, mentions: pd.DataFrame) -> pd.DataFrame:
    """Measures of both lexicons: columns `scope`, `measure`, `specialty` (empty: all), `n` and `value`.

    `broad` contains `strict`. Agreement counts a question without a mention as missed. Beside it stand `chance` (a
    guess among the specialties, of which the label may hold several) and `majority_class` (always the commonest).
    """
    terms = mentions[mentions["kind"] != "placebo"]
    scopes = {"strict": terms[terms["scope"] == "strict"], "broad": terms}
    words = {"strict": lexicon[lexicon["scope"] == "strict"], "broad": lexicon[lexicon["scope"] != "none"]}
    rows = []
    for scope in SCOPES:
        measures = [*_sizes(questions, words[scope], scopes[scope]), *_agreement(questions, scopes[scope])]
        rows += [(scope, *measure) for measure in measures]
    rows += [("strict", *measure) for measure in _placebo_balance(questions, mentions)]
    return pd.DataFrame(rows, columns=["scope", "measure", "specialty", "n", "value"])


def votes(question_ids: pd.Series, mentions: pd.DataFrame, specialties: Sequence[str]) -> np.ndarray:
    """Votes of the terms of each question for specialties, without votes for other specialties than these.

    Each term of a question has one vote, shared evenly among its specialties and weighted by its inverse document
    frequency log(N / n): a term of every second question says little about any of them. How often a term is repeated
    in a question does not count.

    Returns:
        (questions, specialties), rows in the order of the ids.
    """
    total = len(question_ids)
    row_of = {question_id: row for row, question_id in enumerate(question_ids)}
    column_of = {specialty: column for column, specialty in enumerate(specialties)}
    once = mentions.assign(term=mentions["text"].str.lower()).drop_duplicates(["question_id", "term"])
    weight = np.log(total / once.groupby("term")["question_id"].transform("size"))
    result = np.zeros((total, len(specialties)))
    for question_id, found, value in zip(once["question_id"], once["specialties"], weight, strict=True):
        for specialty in column_of.keys() & set(found):
            result[row_of[question_id], column_of[specialty]] += value / len(found)
    return result


def label_rank(questions: pd.DataFrame, mentions: pd.DataFrame) -> np.ndarray:
    """How many specialties that are not the question's have at least as many votes as its best-placed label: int, n.

    0 is agreement. A tie counts against it, and so does a question without votes.
    """
    specialties = with_others(questions["specialties"])
    result = votes(questions["question_id"], mentions, specialties)
    labels = np.array([[s in found for s in specialties] for found in questions["specialties"]])
    best = np.where(labels, result, -np.inf).max(axis=1, keepdims=True)
    return ((result >= best) & ~labels).sum(axis=1)


_Measure = tuple[str, str, int, float]


def _sizes(questions: pd.DataFrame, lexicon: pd.DataFrame, mentions: pd.DataFrame) -> list[_Measure]:
    total, found, terms = len(questions), len(mentions), len(lexicon)
    of_term, of_mention = lexicon["specialties"].map(len), mentions["specialties"].map(len)
    rows = [
        ("terms", "", terms, float(terms)),
        ("specialties_per_term", "", terms, of_term.mean()),
        ("mentions_per_question", "", total, found / total),
        ("distinct_terms_found", "", found, float(mentions["text"].str.lower().nunique())),
        ("questions_with_mention", "", total, mentions["question_id"].nunique() / total),
        ("specialties_per_mention", "", found, of_mention.mean()),
        ("ambiguous_mentions", "", found, (of_mention > 1).mean()),
    ]
    for specialty in with_others(lexicon["specialties"]):
        own = lexicon["specialties"].map(lambda found, own=specialty: own in found)
        rows.append(("terms", specialty, terms, float(own.sum())))
    return rows


def _agreement(questions: pd.DataFrame, mentions: pd.DataFrame) -> list[_Measure]:
    rank = label_rank(questions, mentions)
    labels = questions["specialties"]
    names = with_others(labels)
    members = {s: labels.map(lambda found, own=s: own in found).to_numpy() for s in names}
    groups = {"": np.ones(len(questions), dtype=bool)} | {s: own for s, own in members.items() if own.any()}
    rows = [
        (measure, specialty, int(group.sum()), float((rank[group] < places).mean()))
        for measure, places in (("top1_agreement", 1), ("top2_agreement", 2))
        for specialty, group in groups.items()
    ]
    total = len(questions)
    rows.append(("chance", "", total, labels.map(len).mean() / len(names)))
    rows.append(("majority_class", "", total, max(own.mean() for own in members.values())))
    return rows


def _placebo_balance(questions: pd.DataFrame, mentions: pd.DataFrame) -> list[_Measure]:
    """Mean difference between placebos (the first candidate) and their terms."""
    first = mentions[mentions["kind"] == "placebo"].drop_duplicates("matched_to")
    if first.empty:
        return []
    pairs = first.merge(mentions, left_on="matched_to", right_on="mention_id", suffixes=("", "_term"))
    length = pairs["question_id"].map(questions.set_index("question_id")["stem"].str.len())
    frequency, expected = placebos.document_frequency(questions["stem"]), placebos.expected_tokens
    commonness = [pairs[c].map(lambda text: placebos.commonness(text, frequency)) for c in ("text", "text_term")]
    differences = {
        "expected_tokens": pairs["text"].map(expected) - pairs["text_term"].map(expected),
        "log10_document_frequency": commonness[0] - commonness[1],
        "place_in_stem": (pairs["start"] - pairs["start_term"]) / length,
    }
    return [(f"placebo_minus_term_{name}", "", len(pairs), values.mean()) for name, values in differences.items()]


def report(table: pd.DataFrame) -> str:
    """The measures as text: one block for all questions, one line per specialty."""
    wide = table.pivot_table(index=["measure", "specialty"], columns="scope", values="value", sort=False)[list(SCOPES)]
    overall = wide.xs("", level="specialty").to_string(float_format="{:.3f}".format)
    agreement = wide.loc[["top1_agreement", "top2_agreement"]].unstack("measure").drop(index="")
    return f"{overall}\n\n{agreement.to_string(float_format='{:.3f}'.format)}\n"
