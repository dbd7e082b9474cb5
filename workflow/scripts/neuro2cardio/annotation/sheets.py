"""The sheet that experts fill in: how it is handed out, and how it is read back, from whatever program."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
import csv
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
import re
from typing import Any
import unicodedata

import pandas as pd

from ..core import records, specialties, tables
from ..core.errors import InputError
from ..core.records import NotText, Record
from . import label_studio, labels
from .labels import OTHERS

ID_PREFIX = "q-"
"""Before each id in a sheet: spreadsheets read some bare ids as numbers (12345678e1234567) and write others back."""
SHEET = (*label_studio.SHOWN, *label_studio.FILLED_IN, "allowed")
"""Columns of a sheet. Experts fill in `specialty`, and, where they wish, `also` (further ones, split by ``;``) and
`comment`. `allowed` lists the names that they can choose from."""
RATINGS = ("question_id", "expert", "specialty", "also", "comment")
_NEEDED = ("question_id", "question", "specialty", "also")
_LISTED = 5
_MOST_PROBLEMS = 20
_LEFT_OUT = re.compile(r"[\W_]*|\W*(?:n\W?a|nan|null|nil|not applicable)\W*", re.IGNORECASE)
"""A cell that says nothing: empty, `-`, `n/a`, `?`."""
_NOTHING = re.compile(
    r"(?:no|none|nothing)(?: (?:others?|else|further|more|additional|of (?:these|the above|them)))?"
    r"(?: (?:speciality|specialty|specialities|specialties|ones?))?|others?",
    re.IGNORECASE,
)
"""What people write into `also` to say that there is nothing further."""
_OTHER_SIGNS = re.compile(r"[^\w\s.,:()\[\]&*'\"/•–—-]")
"""What stands in no name and around none. Such signs can deny or doubt one: `≠ Cardiology`, `Cardiology?`."""


@dataclass(frozen=True)
class _Row:
    """A row of a sheet: where it is, the texts of its cells, and its problem, if it has one."""

    place: str
    question_id: str = ""
    shown: Mapping[str, str] = field(default_factory=dict)
    specialty: Sequence[str] = ()
    also: Sequence[str] = ()
    comment: str = ""
    problem: str = ""


def hand_out(sample: pd.DataFrame, questions: pd.DataFrame) -> list[dict[str, str]]:
    """What experts are shown of each question of the sample. What the annotator said would sway them."""
    by_id = questions.set_index("question_id")
    return [
        {
            "question_id": f"{ID_PREFIX}{question_id}",
            "question": by_id.at[question_id, "stem"],
            "options": "\n".join(by_id.at[question_id, "options"]),
            "answer": by_id.at[question_id, "options"][by_id.at[question_id, "answer"]],
        }
        for question_id in sample["question_id"]
    ]


def allowed(candidates: Sequence[str], own: Mapping[str, str | None]) -> list[str]:
    """The names that experts choose from: the candidates, the user's own specialties, and `OTHERS`."""
    return list(dict.fromkeys([*candidates, *filter(None, own.values()), OTHERS]))


def write(rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> str:
    """Rows of `hand_out` as CSV text (columns of `SHEET`), with the allowed names beside each question."""
    out = StringIO()
    writer = csv.DictWriter(out, SHEET, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        cells = {**row, "allowed": "; ".join(names)}
        writer.writerow({name: tables.no_formula(cells.get(name, "")) for name in SHEET})
    return out.getvalue()


def read_back(
    path: Path, expert: str, rows: Sequence[Mapping[str, str]], own: Mapping[str, str | None] | None = None
) -> pd.DataFrame:
    """What an expert answered, from a sheet in any form that `records` reads, or an export of Label Studio.

    Args:
        path: The sheet.
        expert: Who filled it in.
        rows: What was handed out (`hand_out`).
        own: The user's own names of specialties, and what they mean; None: a specialty that is left out.

    Returns:
        One row a question (columns of `RATINGS`), in the order of the file. A question left empty has no specialty.

    Raises:
        InputError: Lists all that is wrong, with its line: unknown or changed ids, changed questions, missing or
            doubled rows, rows with too many cells, unknown specialties.
    """
    read, flat = _read(path)
    handed_out = {row["question_id"]: row for row in rows}
    wrong = _wrong_ids(read, handed_out)
    if flat and wrong:
        wrong.append("tasks without an annotation are missing from this export of Label Studio; export as JSON instead")
    ratings = []
    for row in read:
        try:
            ratings.append(_rating(row, expert, handed_out.get(row.question_id), own or {}))
        except InputError as error:
            wrong.append(f"{row.place} ({row.question_id or 'no question_id'}): {error}")
    if wrong:
        more = f"\n  and {len(wrong) - _MOST_PROBLEMS} more" if len(wrong) > _MOST_PROBLEMS else ""
        raise InputError(f"{path} ({expert}):\n  " + "\n  ".join(wrong[:_MOST_PROBLEMS]) + more)
    return pd.DataFrame(ratings, columns=RATINGS)


def _read(path: Path) -> tuple[list[_Row], bool]:
    """The rows of a sheet, and whether it is an export of Label Studio that has no rows for empty tasks."""
    found = records.read(path)
    if label_studio.is_json_export(found):
        return [_row(label_studio.sheet_row(task), {name: name for name in SHEET}) for task in found], False
    known = records.columns(found)
    flat = label_studio.is_flat_export(known)
    spelled = {name: own for name in SHEET if (own := _column(path, name, known)) is not None}
    missing = {*_NEEDED} - {"also" if flat else ""} - spelled.keys()
    if missing and found:
        raise InputError(f"{path}: no column {', '.join(sorted(missing))}; a sheet has {', '.join(SHEET)}")
    return [_row(record, spelled) for record in found], flat


def _column(path: Path, name: str, known: Mapping[str, None]) -> str | None:
    alike = [column for column in known if column.strip().casefold() == name]
    if len(alike) > 1:
        raise InputError(f"{path}: the columns {', '.join(map(repr, alike))} differ in case alone; keep one of them")
    return alike[0] if alike else None


def _row(record: Record, spelled: Mapping[str, str]) -> _Row:
    cells = {name: record.values.get(own) for name, own in spelled.items()}
    try:
        shown = {name: records.text(cells.get(name)).strip() for name in label_studio.SHOWN}
        return _Row(
            record.row,
            shown["question_id"],
            shown,
            list(_names(cells.get("specialty"))),
            list(_names(cells.get("also"))),
            _comment(cells.get("comment")),
            record.problem,
        )
    except NotText as problem:
        question_id = cells.get("question_id")
        return _Row(record.row, question_id if isinstance(question_id, str) else "", problem=str(problem))


def _names(cell: Any) -> Iterator[str]:
    """The texts of a cell with names: a text, a list, or what Label Studio writes for several choices."""
    value = records.parsed(cell)
    if isinstance(value, Mapping) and set(value) == {"choices"}:
        value = value["choices"]
    for item in value if isinstance(value, list) else [value]:
        if text := records.text(item).strip():
            yield text


def _wrong_ids(rows: Sequence[_Row], handed_out: Mapping[str, object]) -> list[str]:
    counts = Counter(row.question_id for row in rows)
    wrong = [
        f"{row.place}: unknown or changed question_id {row.question_id!r}"
        for row in rows
        if row.question_id not in handed_out
    ]
    for question_id, count in counts.items():
        if count > 1 and question_id in handed_out:
            places = ", ".join(row.place for row in rows if row.question_id == question_id)
            wrong.append(f"row {question_id} is there {count} times ({places})")
    missing = [question_id for question_id in handed_out if question_id not in counts]
    if missing:
        more = ", ..." if len(missing) > _LISTED else ""
        wrong.append(f"{len(missing)} of {len(handed_out)} rows are missing: {', '.join(missing[:_LISTED])}{more}")
    return wrong


def _rating(
    row: _Row, expert: str, handed_out: Mapping[str, str] | None, own: Mapping[str, str | None]
) -> tuple[str, str, str, list[str], str]:
    if row.problem:
        raise InputError(row.problem)
    for name, text in row.shown.items():
        # Sheets need no options and answer; where they have them, a shifted row shows there.
        if handed_out and (text or name == "question") and _plain(text) != _plain(handed_out[name]):
            raise InputError(f"its {name} is not the one that was handed out")
    primary = _primary(row.specialty, own)
    also = _further(row.also, own)
    if also and not primary:
        raise InputError("`also` is filled in and `specialty` is not")
    return row.question_id.removeprefix(ID_PREFIX), expert, primary, sorted(also - {primary}), row.comment


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).removeprefix("'").split())


def _primary(texts: Sequence[str], own: Mapping[str, str | None]) -> str:
    names = [name for text in texts if not _LEFT_OUT.fullmatch(text) for name in _split(text, own)]
    found = {_label(name, own) for name in names}
    if len(found) > 1:
        raise InputError(f"several names in `specialty` ({', '.join(names)}); further ones go into `also`")
    return next(iter(found), "")


def _further(texts: Sequence[str], own: Mapping[str, str | None]) -> set[str]:
    parts = [name for text in texts if not _LEFT_OUT.fullmatch(text) for name in _split(text, own)]
    named = [name for name in parts if specialties.key(name) in own or not _NOTHING.fullmatch(_words(name))]
    if named and len(named) < len(parts):
        nothing = next(name for name in parts if name not in named)
        raise InputError(f"`also` says {nothing!r} and names a specialty besides")
    return {_label(name, own) for name in named} - {OTHERS}


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text))


def _split(text: str, own: Mapping[str, str | None]) -> list[str]:
    """The names in a text: split at semicolons, bars and line breaks, and at commas unless a name has them."""
    if _is_name(text, own):
        return [text]
    parts = re.split(r"[;|\n\r]", text)
    names = [name.strip() for part in parts for name in ([part] if _is_name(part, own) else part.split(","))]
    return [name for name in names if not _LEFT_OUT.fullmatch(name)]


def _is_name(text: str, own: Mapping[str, str | None]) -> bool:
    return specialties.key(text) in own or labels.find(text) is not None


def _label(name: str, own: Mapping[str, str | None]) -> str:
    if specialties.key(name) not in own and (sign := _OTHER_SIGNS.search(name)):
        raise InputError(f"{name!r} has the sign {sign.group()!r}; write the name of a specialty alone")
    return labels.canonical(name, own)


def _comment(cell: Any) -> str:
    """A comment as text, whatever it is: no vote depends on it."""
    value = records.parsed(cell)
    if isinstance(value, Mapping) and set(value) == {"text"}:
        value = value["text"]
        return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
    try:
        return records.text(cell).strip()
    except NotText:
        return str(cell)
