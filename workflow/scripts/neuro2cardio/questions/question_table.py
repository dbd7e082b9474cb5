"""The question table: what a source has is checked, told apart by id, split, and cleared of leakage."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
import html
import re
import unicodedata

import pandas as pd

from ..config.dataset import Dataset, Leakage, Split
from ..core import provenance, specialties
from ..core.errors import InputError
from ..core.tables import QUESTIONS
from . import leakage
from .sources import SPLITS, UNSPLIT, RawQuestion

_EXCERPT = 80
_MAX_OPTIONS = 26
"""As many as there are letters."""
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);")
_HOW_TO_MAP = "map names of your own in dataset.origin.specialties, for example {Nerves: Neurology}"


@dataclass(frozen=True, slots=True)
class Question:
    """A checked question: a row of `tables.QUESTIONS`, and what it is told apart and split by.

    Attributes:
        content_id: Equal for questions that read the same; the question's id, where the source gives it none.
        order: Decides the split. A hash, so that it is as good as a random number and stays the same.
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


@dataclass(frozen=True)
class QuestionTable:
    """The questions of an experiment, and an account of what did not become one."""

    questions: pd.DataFrame
    """Rows of `tables.QUESTIONS`, by split, then id. Ids are unique."""
    rejected: pd.DataFrame
    """source, source_row, reason, excerpt: every row of the source that is no question of its own."""
    leaked: pd.DataFrame
    """The questions dropped because they stand in a split that must not be trained on; see `leakage.COLUMNS`."""
    flow: pd.DataFrame
    """step, n: how many rows came in, where they went, and how many questions are left."""
    summary: pd.DataFrame
    """specialty, then the number of questions in each split. A question counts in each of its specialties."""


class _Refusal(Exception):
    """Why a row is no question."""


def normalise(text: str) -> str:
    """Text as it counts for identity: Unicode NFKC, case folded, white space collapsed. Idempotent."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.casefold()).casefold())
    return " ".join(folded.split())


def question_id(stem: str, options: Iterable[str]) -> str:
    """First 16 hex of the sha256 over the normalised stem and the sorted normalised options."""
    return provenance.text_digest(normalise(stem), *sorted(map(normalise, options)))


def build(raw: Iterable[RawQuestion], dataset: Dataset, grid: Sequence[str]) -> QuestionTable:
    """Make the question table of an experiment from the rows of its source.

    In this order: rows are checked and doubles joined; splits are made where the source has none; questions of no
    specialty of the grid are left out; the test set is cut to `test_size`; what also stands in test is dropped from
    validation and train, and what stands in validation from train. So the splits do not depend on the grid.

    Raises `InputError` where more than `max_rejected` of the rows are refused, or a specialty of the grid has fewer
    train or test questions than `min_train` or `min_test`.
    """
    rows, entities = _html(list(raw), dataset.unescape_html)
    checked, refused = _check_all(rows, dataset)
    distinct, doubles = _join_doubles(checked)
    contradictions = [line for line in doubles if line["reason"].startswith("contradicts")]
    _check_share(refused + contradictions, len(rows), dataset)
    in_grid = list(_in_grid(_split(distinct, dataset.split), grid))
    capped = _cap_test(in_grid, grid, dataset.test_size)
    kept, leaked = _drop_leaks(capped, dataset.leakage)
    _check_sizes(kept, grid, dataset)
    flow = {
        "rows read": len(rows),
        "refused": len(refused),
        "left out by dataset.origin.specialties": len(rows) - len(refused) - len(checked),
        "doubled, merged or contradicting": len(doubles),
        "outside the grid": len(distinct) - len(in_grid),
        "test questions beyond dataset.test_size": len(in_grid) - len(capped),
        "leaked": len(capped) - len(kept),
        "questions": len(kept),
    }
    if entities:
        what = "unescaped" if dataset.unescape_html else "left as they are; dataset.unescape_html turns them into text"
        flow[f"rows with HTML entities ({what})"] = entities
    return QuestionTable(
        questions=pd.DataFrame([_row(q) for q in kept], columns=QUESTIONS.names),
        rejected=pd.DataFrame(refused + doubles, columns=["source", "source_row", "reason", "excerpt"]),
        leaked=pd.DataFrame(leaked, columns=list(leakage.COLUMNS)),
        flow=pd.DataFrame(flow.items(), columns=["step", "n"]),
        summary=_summary(kept, grid),
    )


def unlabelled(raw: Iterable[RawQuestion], dataset: Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Questions checked as `build` checks them, whatever their specialties: what is to be annotated, and what is not.

    The first table has the columns of `tables.QUESTIONS`, one row an id, by id, the split left open; `specialties` are
    the source's own where it has any that are known. The second is like `QuestionTable.rejected`. Raises `InputError`
    where more than `max_rejected` of the rows are refused.
    """
    rows, _ = _html(list(raw), dataset.unescape_html)
    checked, refused = _check_all(rows, dataset, labelled=False)
    _check_share(refused, len(rows), dataset)
    distinct, doubles = _join_doubles(replace(q, split=UNSPLIT) for q in checked)
    kept = pd.DataFrame([_row(q) for q in sorted(distinct, key=_id)], columns=QUESTIONS.names)
    return kept, pd.DataFrame(refused + doubles, columns=["source", "source_row", "reason", "excerpt"])


def identify(raw: RawQuestion) -> str:
    """The id that a row's question has in every table: the source's own, or else one made from its text."""
    return raw.own_id or question_id(raw.stem, raw.options)


def _html(rows: list[RawQuestion], unescape: bool) -> tuple[list[RawQuestion], int]:
    """The rows, with HTML entities turned into what they stand for where asked, and how many rows have any."""
    changed = [_unescaped(row) for row in rows]
    entities = sum(new != old for new, old in zip(changed, rows, strict=True))
    return changed if unescape else rows, entities


def _unescaped(row: RawQuestion) -> RawQuestion:
    texts = [row.stem, *row.options, row.answer if isinstance(row.answer, str) else ""]
    if not any(_ENTITY.search(text) for text in texts):
        return row
    answer = html.unescape(row.answer) if isinstance(row.answer, str) else row.answer
    return replace(row, stem=html.unescape(row.stem), options=tuple(map(html.unescape, row.options)), answer=answer)


def _check_all(
    rows: Iterable[RawQuestion], dataset: Dataset, labelled: bool = True
) -> tuple[list[Question], list[dict[str, str]]]:
    """The rows that are questions, and a line for each that is not. Rows of specialties left out are in neither."""
    source, names = dataset.origin.source, _own_names(dataset)
    checked, refused = [], []
    for raw in rows:
        try:
            question = _question(raw, source, names, labelled)
        except _Refusal as reason:
            refused.append(_line(source, raw.row, str(reason), raw.stem))
        else:
            checked += [question] if question.specialties or not labelled else []
    return checked, refused


def _question(raw: RawQuestion, source: str, names: Mapping[str, str | None], labelled: bool = True) -> Question:
    """Check a row. Raises `_Refusal` with the reason. No specialties means that `names` leaves the row out."""
    if raw.problem:
        raise _Refusal(raw.problem)
    for text in (raw.stem, *raw.options, str(raw.answer), raw.own_id):
        if not _is_unicode(text):
            raise _Refusal("broken characters")
    stem, options = _tidy(raw.stem), tuple(map(_tidy, raw.options))
    if not stem:
        raise _Refusal("no stem")
    if len(options) < 2:
        raise _Refusal("fewer than two options")
    if not all(options):
        raise _Refusal("empty option")
    if len(options) > _MAX_OPTIONS:
        raise _Refusal(f"{len(options)} options, more than the {_MAX_OPTIONS} letters")
    if len(set(map(_look, options))) < len(options):
        raise _Refusal("duplicate options")
    own = _specialties(raw, names) if labelled else _known(raw, names)
    content_id = question_id(stem, options)
    return Question(
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
    found = _find_option(answer, options)
    if found is None:
        letter = len(answer.strip()) == 1 and answer.strip().isupper()
        raise _Refusal("answer not among the options" + (" (a letter? see columns.answer_is)" if letter else ""))
    return found


def _find_option(answer: str, options: Sequence[str]) -> int | None:
    """The option that reads like an answer; else the only one that differs from it in case or form alone."""
    looks = [_look(option) for option in options]
    if _look(answer) in looks:
        return looks.index(_look(answer))
    alike = [i for i, option in enumerate(options) if normalise(option) == normalise(answer)]
    return alike[0] if len(alike) == 1 else None


def _own_names(dataset: Dataset) -> dict[str, str | None]:
    """What the configuration says that names of specialties mean: the user's own specialties, and the source's map."""
    named = {name: name for name in dataset.further_specialties} | getattr(dataset.origin, "specialties", {})
    return {_key(name): ours for name, ours in named.items()}


def _key(name: str) -> str:
    return " ".join(name.casefold().split())


def _specialties(raw: RawQuestion, names: Mapping[str, str | None]) -> tuple[str, ...]:
    if not raw.specialties:
        raise _Refusal("no specialty")
    found = []
    for name in raw.specialties:
        known = _meaning(name, names)
        if known is None and _key(name) not in names:
            raise _Refusal(f"unknown specialty {name!r}")
        found += [known] if known else []
    return tuple(dict.fromkeys(found))


def _meaning(name: str, names: Mapping[str, str | None]) -> str | None:
    return names[_key(name)] if _key(name) in names else specialties.find(name)


def _known(raw: RawQuestion, names: Mapping[str, str | None]) -> tuple[str, ...]:
    """The specialties of a row that are known, without complaint about the others."""
    found = (_meaning(name, names) for name in raw.specialties)
    return tuple(dict.fromkeys(name for name in found if name))


def _join_doubles(questions: Iterable[Question]) -> tuple[list[Question], list[dict[str, str]]]:
    """One question for each id and split, with the specialties of all its doubles; a line for each double.

    Doubles whose answers differ can't all be right: all of them are dropped.
    """
    groups: dict[tuple[str, str], list[Question]] = {}
    distinct, lines = [], []
    named: dict[str, Question] = {}
    for question in questions:
        twin = named.setdefault(question.question_id, question)
        if twin.content_id != question.content_id:
            reason = f"has the id of another question ({twin.source_row})"
            lines.append(_line(question.source, question.source_row, reason, question.stem))
            continue
        groups.setdefault((question.split, question.content_id), []).append(question)
    for group in groups.values():
        first = group[0]
        if len({_find_option(q.options[q.answer], first.options) for q in group}) > 1:
            rows = ", ".join(q.source_row for q in group)
            lines += [_line(q.source, q.source_row, f"contradicts its doubles ({rows})", q.stem) for q in group]
            continue
        joined = tuple(dict.fromkeys(s for q in group for s in q.specialties))
        votes = tuple(v for q in group for v in q.votes)
        distinct.append(replace(first, specialties=joined, votes=votes) if len(group) > 1 else first)
        for double in group[1:]:
            merged = "merged into" if set(double.specialties) - set(first.specialties) else "doubles"
            lines.append(_line(double.source, double.source_row, f"{merged} {first.source_row}", double.stem))
    return distinct, lines


def _split(questions: Sequence[Question], split: Split) -> list[Question]:
    """Give a split to the questions that have none: in each primary specialty, the first by id go to test, and so on.

    The order is that of a hash of the id: as good as a random one, and the same for each seed, grid and machine.
    """
    done = [q for q in questions if q.split != UNSPLIT]
    for specialty in sorted({q.specialty for q in questions}):
        waiting = (q for q in questions if q.split == UNSPLIT and q.specialty == specialty)
        group = sorted(waiting, key=lambda q: (q.order, q.question_id))
        tests, validations = round(split.test * len(group)), round(split.validation * len(group))
        for i, question in enumerate(group):
            name = "test" if i < tests else "validation" if i < tests + validations else "train"
            done.append(replace(question, split=name))
    return sorted(done, key=lambda q: (SPLITS.index(q.split), q.question_id))


def _in_grid(questions: Iterable[Question], grid: Sequence[str]) -> Iterator[Question]:
    """Questions with their specialties cut down to the grid's, without those that have none of them."""
    for question in questions:
        own = tuple(s for s in question.specialties if s in grid)
        if own:
            yield replace(question, specialties=own, specialty=own[0])


def _cap_test(questions: list[Question], grid: Sequence[str], size: int | None) -> list[Question]:
    """Cut the test set to at most ``size`` questions a specialty, the first by id; rare specialties choose first."""
    if size is None:
        return questions
    tests = [q for q in questions if q.split == "test"]
    available = Counter(s for q in tests for s in q.specialties)
    counts: Counter[str] = Counter()
    chosen: set[str] = set()
    for specialty in sorted(grid, key=lambda s: (available[s], s)):
        for question in (q for q in tests if specialty in q.specialties and q.question_id not in chosen):
            if all(counts[s] < size for s in question.specialties):
                chosen.add(question.question_id)
                counts.update(question.specialties)
    return [q for q in questions if q.split != "test" or q.question_id in chosen]


def _drop_leaks(questions: list[Question], limits: Leakage) -> tuple[list[Question], list[dict[str, object]]]:
    """Drop from validation what stands in test, and from train what stands in either of them."""
    by_split = {split: [q for q in questions if q.split == split] for split in SPLITS}
    kept, leaked = list(by_split["test"]), []
    for split in ("validation", "train"):
        found = leakage.find(
            {q.question_id: normalise(q.stem) for q in by_split[split]},
            {q.question_id: normalise(q.stem) for q in kept},
            ngram=limits.ngram,
            threshold=limits.jaccard,
        )
        clean = [q for q in by_split[split] if q.question_id not in found]
        leaked += _leak_lines([q for q in by_split[split] if q.question_id in found], kept, found)
        kept += clean
    return sorted(kept, key=lambda q: (SPLITS.index(q.split), q.question_id)), leaked


def _leak_lines(
    dropped: Iterable[Question], held: Iterable[Question], found: Mapping[str, tuple[str, float]]
) -> list[dict[str, object]]:
    by_id = {q.question_id: q for q in held}
    lines: list[dict[str, object]] = []
    for question in dropped:
        other, jaccard = found[question.question_id]
        own = (question.split, question.source_row, question.question_id)
        twin = (by_id[other].split, by_id[other].source_row, other)
        lines.append(dict(zip(leakage.COLUMNS, (*own, *twin, round(jaccard, 4)), strict=True)))
    return lines


def _check_share(refused: Sequence[Mapping[str, str]], total: int, dataset: Dataset) -> None:
    if not total:
        raise InputError(f"dataset.origin: {dataset.origin.source} has no rows")
    if len(refused) <= dataset.max_rejected * total:
        return
    reasons = Counter(line["reason"].partition(" (")[0] for line in refused)
    first = {line["reason"].partition(" (")[0]: line["source_row"] for line in reversed(refused)}
    listed = "\n".join(f"  {n} x {reason}, first {first[reason]}" for reason, n in reasons.most_common(10))
    unknown = any(reason.startswith("unknown specialty") for reason in reasons)
    raise InputError(
        f"{len(refused)} of {total} rows are refused, a larger share than dataset.max_rejected: "
        f"{dataset.max_rejected}\n{listed}" + (f"\n{_HOW_TO_MAP}" if unknown else "")
    )


def _check_sizes(questions: Iterable[Question], grid: Sequence[str], dataset: Dataset) -> None:
    counts = Counter((q.split, s) for q in questions for s in q.specialties)
    few = [
        f"{specialty} has {counts[split, specialty]} {split} questions, fewer than dataset.min_{split}: {limit}"
        for split, limit in (("train", dataset.min_train), ("test", dataset.min_test))
        for specialty in grid
        if counts[split, specialty] < limit
    ]
    if few:
        raise InputError(
            "too few questions; leave these specialties out of grid.specialties or lower the limit:\n  "
            + "\n  ".join(few)
        )


def _summary(questions: Iterable[Question], grid: Sequence[str]) -> pd.DataFrame:
    counts = Counter((q.split, s) for q in questions for s in q.specialties)
    rows = [{"specialty": s, **{split: counts[split, s] for split in SPLITS}} for s in grid]
    return pd.DataFrame(rows, columns=["specialty", *SPLITS])


def _row(question: Question) -> dict[str, object]:
    values = {name: getattr(question, name) for name in QUESTIONS.names}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _line(source: str, row: str, reason: str, stem: str) -> dict[str, str]:
    excerpt = " ".join(stem.encode(errors="replace").decode().split())
    shown = excerpt if len(excerpt) <= _EXCERPT else excerpt[: _EXCERPT - 1] + "…"
    return {"source": source, "source_row": row, "reason": reason, "excerpt": shown}


def _look(text: str) -> str:
    """Text as people see it: `AA`, `Aa` and `aa` differ, and so do `10³` and `103`."""
    return " ".join(_tidy(text).split())


def _tidy(text: str) -> str:
    """Text as it is kept: as written, in one Unicode form (NFC), without white space around it."""
    return unicodedata.normalize("NFC", text).strip()


def _is_unicode(text: str) -> bool:
    """Whether text can be written at all; JSON can hold halves of characters."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _id(question: Question) -> str:
    return question.question_id
