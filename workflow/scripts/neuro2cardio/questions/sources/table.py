"""The user's own tables, and hub data sets once fetched: JSON, JSONL, CSV, TSV or Parquet, read by a column map."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
import re
from string import ascii_uppercase
from typing import Any, NamedTuple

from ...config.dataset import Columns
from ...core import records
from ...core.errors import InputError, nearest
from ...core.records import NotText, Record
from . import RawQuestion

NOT_AN_OPTION = -1
_LETTERED = re.compile(r"\s*[(\[]?([A-Za-z])[.)\]:]\s")
_LABEL_KEYS = ("label", "key", "letter", "id", "name")
_TEXT_KEYS = ("text", "value", "option", "content", "answer")


class Option(NamedTuple):
    """An option and the label that the source gives it: a letter, a number, or whatever it writes."""

    label: str
    text: str


def rows(path: Path | str, split: str, columns: Columns) -> Iterator[RawQuestion]:
    """The questions of one file, by its column map.

    A list (options, specialties, votes) may also be written as text, in JSON or as pandas and numpy print it; names of
    specialties and votes may also be split by ``;``. Missing values become empty; a row that can't be read gets a
    problem.

    Raises:
        InputError: The file can't be read or has no rows, or a mapped column is in no row.
    """
    path = Path(path)
    found = records.read(path)
    if not found:
        raise InputError(f"{path}: has no rows")
    if not any(record.values for record in found):
        raise InputError(f"{path}: no row can be read; the first, {found[0].row}: {found[0].problem}")
    columns = _actual_columns(path, found, columns)
    for record in found:
        yield _question(split, record, columns)


def _actual_columns(path: Path, found: Sequence[Record], columns: Columns) -> Columns:
    """The column map in the file's own spelling. Raises if no row has a column: its name is misspelled."""
    known = records.columns(found)

    def actual(name: str) -> str:
        own = records.resolve(name, known)
        if own is None:
            raise InputError(f"{path}: no column {name!r}, which dataset.origin.columns names{nearest(name, known)}")
        return own

    named = {key: value for key, value in columns.model_dump().items() if key != "answer_is" and value is not None}
    spelled = {k: actual(v) if isinstance(v, str) else [actual(name) for name in v] for k, v in named.items()}
    return columns.model_copy(update=spelled)


def _question(split: str, record: Record, columns: Columns) -> RawQuestion:
    if record.problem:
        return _unreadable(split, record, columns, record.problem)
    values = record.values
    try:
        options = _options(values, columns)
        return RawQuestion(
            row=record.row,
            split=split,
            stem=_cell(values, columns.stem),
            options=tuple(option.text for option in options),
            answer=_answer(_cell(values, columns.answer), columns.answer_is, options),
            specialties=tuple(_names(values, columns.specialty)) if columns.specialty else (),
            votes=tuple(_names(values, columns.votes)) if columns.votes else (),
            own_id=_cell(values, columns.id).strip() if columns.id else "",
        )
    except NotText as problem:
        return _unreadable(split, record, columns, str(problem))


def _unreadable(split: str, record: Record, columns: Columns, problem: str) -> RawQuestion:
    stem = record.values.get(columns.stem)
    return RawQuestion(record.row, split, stem if isinstance(stem, str) else "", (), "", (), problem=problem)


def _cell(values: Mapping[str, Any], column: str) -> str:
    try:
        return records.text(values.get(column))
    except NotText as problem:
        raise NotText(f"{column}: {problem}") from None


def _options(values: Mapping[str, Any], columns: Columns) -> list[Option]:
    """The options of a row. Empty ones at the end are columns that this question does not use."""
    if isinstance(columns.options, list):
        texts = [_cell(values, name) for name in columns.options]
        options = [Option(label, text) for label, text in zip(_column_labels(columns.options), texts, strict=True)]
    else:
        try:
            options = _labelled(records.parsed(values.get(columns.options)))
        except NotText as problem:
            raise NotText(f"{columns.options}: {problem}") from None
    while options and not options[-1].text:
        options = options[:-1]
    return options


def _column_labels(names: Sequence[str]) -> list[str]:
    """The letters in which the names of the option columns end, in whatever order they are listed, or else A, B, ..."""
    ends = [name.strip()[-1:].upper() for name in names]
    usual = _labels(len(names))
    return ends if sorted(ends) == usual else usual


def _labels(n: int) -> list[str]:
    """Letters for options without labels; after Z, labels that only need to be unique."""
    return [ascii_uppercase[i] if i < len(ascii_uppercase) else f"option {i + 1}" for i in range(n)]


def _labelled(value: Any) -> list[Option]:
    """Options from a list, a label -> text mapping, parallel lists of labels and texts, or a list of such pairs."""
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        return _parallel(value)
    if isinstance(value, Mapping):
        return [Option(str(label), records.text(text)) for label, text in sorted(value.items(), key=_by_label)]
    if not isinstance(value, list):
        if value is None or not records.text(value):
            return []
        raise NotText("one text where a list of options should be")
    if value and all(isinstance(item, Mapping) for item in value):
        return [_pair(item) for item in value]
    return [Option(label, records.text(text)) for label, text in zip(_labels(len(value)), value, strict=True)]


def _parallel(value: Mapping[str, Any]) -> list[Option]:
    labels = next((value[key] for key in (*_LABEL_KEYS, "labels") if isinstance(value.get(key), list)), None)
    texts = value["text"]
    if labels is None:
        labels = _labels(len(texts))
    if len(labels) != len(texts):
        raise NotText(f"{len(labels)} labels for {len(texts)} options")
    return [Option(records.text(label), records.text(text)) for label, text in zip(labels, texts, strict=True)]


def _pair(item: Mapping[str, Any]) -> Option:
    label = next((key for key in _LABEL_KEYS if key in item), None)
    content = next((key for key in _TEXT_KEYS if key in item), None)
    if label is None or content is None:
        raise NotText(
            f"options with the keys {', '.join(map(repr, item))}; an option should be a text, or have a key of "
            f"{', '.join(_LABEL_KEYS)} and one of {', '.join(_TEXT_KEYS)}"
        )
    return Option(records.text(item[label]), records.text(item[content]))


def _by_label(item: tuple[Any, Any]) -> tuple[int, str]:
    label = str(item[0])
    return (int(label), "") if label.isdecimal() else (0, label)


def _answer(answer: str, kind: str, options: Sequence[Option]) -> str | int:
    """The answer as text or index; an empty one stays empty, and one that names no option becomes no option.

    Labels that the source gives its options are used: where they are B, A, C, the letter A is the second option.

    Raises:
        NotText: A label and a position, or a label and the letters that the options begin with, mean different options.
    """
    if not answer.strip() or kind == "text":
        return answer
    folded = [_folded(option.label) for option in options]
    unique = len(set(folded)) == len(folded)
    labelled = folded.index(_folded(answer)) if unique and _folded(answer) in folded else None
    if kind == "letter":
        return _agreed(answer, labelled, _beginning_with(answer, options), "begins with it")
    position = _position(answer, kind)
    found = position if 0 <= position < len(options) else None
    if kind == "index" and found is None:
        return NOT_AN_OPTION
    return _agreed(answer, labelled, found, f"is at that position, counted from {int(kind == 'number')}")


def _agreed(answer: str, labelled: int | None, other: int | None, how: str) -> int:
    if labelled is not None and other is not None and labelled != other:
        raise NotText(f"the answer {answer.strip()!r} is ambiguous: it labels another option than the one that {how}")
    found = labelled if labelled is not None else other
    return NOT_AN_OPTION if found is None else found


def _position(answer: str, kind: str) -> int:
    try:
        index = float(answer) - (kind == "number")
    except ValueError:
        return NOT_AN_OPTION
    return int(index) if index.is_integer() else NOT_AN_OPTION


def _beginning_with(answer: str, options: Sequence[Option]) -> int | None:
    """The option whose text begins with the letter, where all texts begin with letters of their own: `A. angina`."""
    found = [match[1].upper() if (match := _LETTERED.match(option.text)) else "" for option in options]
    letter = _folded(answer).upper()
    return found.index(letter) if "" not in found and len(set(found)) == len(found) and letter in found else None


def _folded(label: str) -> str:
    return label.strip(" .:()[]").casefold()


def _names(values: Mapping[str, Any], column: str) -> list[str]:
    value = records.parsed(values.get(column))
    try:
        texts = [records.text(v) for v in value] if isinstance(value, list) else records.text(value).split(";")
    except NotText as problem:
        raise NotText(f"{column}: {problem}") from None
    return [name for name in (t.strip() for t in texts) if name]
