"""Validate the rows of a source: each becomes a question or a line with the reason why not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
import html
import re

from ..config.dataset import Dataset
from ..core import provenance, specialties
from .identity import appearance, is_unicode, normalise, question_id, tidy
from .sources import RawQuestion

_EXCERPT = 80
"""Characters of a rejected row's stem that are shown."""
_MAX_OPTIONS = 26
"""One for each letter."""
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);")


@dataclass(frozen=True, slots=True)
class ValidQuestion:
    """A validated question: a row of `tables.QUESTIONS`, and the values that identify it and decide its split.

    Attributes:
        content_id: Equal for questions with the same text; the question's id if the source has none.
        order: Decides the split. A hash, which is as good as a random number and never changes.
    """

    question_id: str
    split: str
    source: str
    source_row: str
    stem: str
    options: tuple[str, ...]
    answer: int
    specialty: str
    specialties: tuple[str, ...]
    votes: tuple[str, ...]
    content_id: str
    order: str


class _Refusal(Exception):
    """Why a row is rejected."""


def unescape_rows(rows: list[RawQuestion], unescape: bool) -> tuple[list[RawQuestion], int]:
    """The rows, with HTML entities replaced if ``unescape`` is true, and the number of rows that have any."""
    changed = [_unescaped(row) for row in rows]
    entities = sum(new != old for new, old in zip(changed, rows, strict=True))
    return changed if unescape else rows, entities


def _unescaped(row: RawQuestion) -> RawQuestion:
    texts = [row.stem, *row.options, row.answer if isinstance(row.answer, str) else ""]
    if not any(_ENTITY.search(text) for text in texts):
        return row
    answer = html.unescape(row.answer) if isinstance(row.answer, str) else row.answer
    return replace(row, stem=html.unescape(row.stem), options=tuple(map(html.unescape, row.options)), answer=answer)


def validate(
    rows: Iterable[RawQuestion], dataset: Dataset, labelled: bool = True
) -> tuple[list[ValidQuestion], list[dict[str, str]]]:
    """The valid questions, and a line for each rejected row. Rows that the user leaves out are in neither."""
    source, names = dataset.origin.source, dataset.own_names()
    checked, refused = [], []
    for raw in rows:
        try:
            question = _question(raw, source, names, labelled)
        except _Refusal as reason:
            refused.append(rejection(source, raw.row, str(reason), raw.stem))
        else:
            checked += [question] if question.specialties or not labelled else []
    return checked, refused


def _question(raw: RawQuestion, source: str, names: Mapping[str, str | None], labelled: bool) -> ValidQuestion:
    """Validate a row. Raises `_Refusal` with the reason. A result without specialties is left out by ``names``."""
    if raw.problem:
        raise _Refusal(raw.problem)
    for text in (raw.stem, *raw.options, str(raw.answer), raw.own_id):
        if not is_unicode(text):
            raise _Refusal("broken characters")
    stem, options = tidy(raw.stem), tuple(map(tidy, raw.options))
    if not stem:
        raise _Refusal("no stem")
    if len(options) < 2:
        raise _Refusal("fewer than two options")
    if not all(options):
        raise _Refusal("empty option")
    if len(options) > _MAX_OPTIONS:
        raise _Refusal(f"{len(options)} options, more than the {_MAX_OPTIONS} letters")
    if len(set(map(appearance, options))) < len(options):
        raise _Refusal("duplicate options")
    own = _specialties(raw, names) if labelled else _known_specialties(raw, names)
    content_id = question_id(stem, options)
    return ValidQuestion(
        question_id=raw.own_id or content_id,
        split=raw.split,
        source=source,
        source_row=raw.row,
        stem=stem,
        options=options,
        answer=_answer(raw.answer, options),
        specialty=own[0] if own else "",
        specialties=own,
        votes=raw.votes,
        content_id=content_id,
        order=provenance.text_digest(raw.own_id) if raw.own_id else content_id,
    )


def _answer(answer: str | int, options: Sequence[str]) -> int:
    if isinstance(answer, int):
        if not 0 <= answer < len(options):
            raise _Refusal("answer not among the options")
        return answer
    if not answer.strip():
        raise _Refusal("empty answer")
    found = find_option(answer, options)
    if found is None:
        letter = len(answer.strip()) == 1 and answer.strip().isupper()
        raise _Refusal("answer not among the options" + (" (a letter? see columns.answer_is)" if letter else ""))
    return found


def find_option(answer: str, options: Sequence[str]) -> int | None:
    """The option that looks like the answer; otherwise the only one that differs in case or Unicode form alone."""
    looks = [appearance(option) for option in options]
    if appearance(answer) in looks:
        return looks.index(appearance(answer))
    alike = [i for i, option in enumerate(options) if normalise(option) == normalise(answer)]
    return alike[0] if len(alike) == 1 else None


def _specialties(raw: RawQuestion, names: Mapping[str, str | None]) -> tuple[str, ...]:
    if not raw.specialties:
        raise _Refusal("no specialty")
    found = []
    for name in raw.specialties:
        known = _specialty_named(name, names)
        if known is None and specialties.key(name) not in names:
            raise _Refusal(f"unknown specialty {name!r}")
        found += [known] if known else []
    return tuple(dict.fromkeys(found))


def _specialty_named(name: str, names: Mapping[str, str | None]) -> str | None:
    return names[specialties.key(name)] if specialties.key(name) in names else specialties.find(name)


def _known_specialties(raw: RawQuestion, names: Mapping[str, str | None]) -> tuple[str, ...]:
    """The known specialties of a row, ignoring others."""
    found = (_specialty_named(name, names) for name in raw.specialties)
    return tuple(dict.fromkeys(name for name in found if name))


def rejection(source: str, row: str, reason: str, stem: str) -> dict[str, str]:
    """A row of `QuestionTable.rejected`: why a row of the source is not a question of its own, and how it begins."""
    excerpt = " ".join(stem.encode(errors="replace").decode().split())
    shown = excerpt if len(excerpt) <= _EXCERPT else excerpt[: _EXCERPT - 1] + "…"
    return {"source": source, "source_row": row, "reason": reason, "excerpt": shown}
