"""Merge duplicate questions, and drop those that contradict each other."""

from collections.abc import Iterable
from dataclasses import replace

from .validation import ValidQuestion, find_option, rejection


def merge_duplicates(questions: Iterable[ValidQuestion]) -> tuple[list[ValidQuestion], list[dict[str, str]]]:
    """One question for each id and split, with the specialties of all its duplicates; a line for each duplicate.

    Duplicates with different answers can't all be right, so all of them are dropped.
    """
    groups: dict[tuple[str, str], list[ValidQuestion]] = {}
    distinct, lines = [], []
    named: dict[str, ValidQuestion] = {}
    for question in questions:
        twin = named.setdefault(question.question_id, question)
        if twin.content_id != question.content_id:
            reason = f"has the id of another question ({twin.source_row})"
            lines.append(rejection(question.source, question.source_row, reason, question.stem))
            continue
        groups.setdefault((question.split, question.content_id), []).append(question)
    for group in groups.values():
        first = group[0]
        if len({find_option(q.options[q.answer], first.options) for q in group}) > 1:
            rows = ", ".join(q.source_row for q in group)
            lines += [rejection(q.source, q.source_row, f"contradicts its doubles ({rows})", q.stem) for q in group]
            continue
        joined = tuple(dict.fromkeys(s for q in group for s in q.specialties))
        votes = tuple(v for q in group for v in q.votes)
        distinct.append(replace(first, specialties=joined, votes=votes) if len(group) > 1 else first)
        for double in group[1:]:
            merged = "merged into" if set(double.specialties) - set(first.specialties) else "doubles"
            lines.append(rejection(double.source, double.source_row, f"{merged} {first.source_row}", double.stem))
    return distinct, lines
