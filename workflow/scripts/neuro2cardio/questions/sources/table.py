"""The user's own tables, and hub data sets once fetched: JSON, JSONL, CSV, TSV or Parquet, read by a column map."""

from collections.abc import Iterator, Mapping
import csv
import io
import json
import math
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...config.dataset import Columns
from ...core.errors import InputError, nearest
from . import RawQuestion

NOT_AN_OPTION = -1


def rows(path: Path | str, split: str, columns: Columns) -> Iterator[RawQuestion]:
    """The questions of one file, by its column map.

    A list (options, specialties, votes) may also be JSON text or, but for options, names split by ``;``. What a row
    lacks comes out empty. Raises `InputError` where the file can't be read or a mapped column is in no row.
    """
    path = Path(path)
    records = _records(path)
    _check_columns(path, records, columns)
    for number, record in enumerate(records, start=1):
        yield _question(f"{path.name}:{number}", split, record, columns)


def _records(path: Path) -> list[Mapping[str, Any]]:
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path).to_pylist()
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix in (".csv", ".tsv"):
            return list(csv.DictReader(io.StringIO(text), delimiter="\t" if path.suffix == ".tsv" else ","))
        # Not splitlines(): it also breaks at characters that may stand inside a JSON string.
        lines = [line for line in text.split("\n") if line.strip()]
        records = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in lines]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (ValueError, csv.Error, pa.ArrowException) as error:
        raise InputError(f"{path}: can't be read as {path.suffix[1:]} in UTF-8: {error}") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(f"{path}: should be a list of objects, one a question")
    return records


def _check_columns(path: Path, records: list[Mapping[str, Any]], columns: Columns) -> None:
    """Raise for a mapped column that no row has: a misspelling, not a gap in the data."""
    known = {str(name): None for record in records for name in record}
    options = [columns.options] if isinstance(columns.options, str) else columns.options
    for name in [
        columns.stem,
        *options,
        columns.answer,
        *filter(None, [columns.specialty, columns.votes]),
    ]:
        if name not in known:
            raise InputError(f"{path}: no column {name!r}, which dataset.origin.columns names{nearest(name, known)}")


def _question(row: str, split: str, record: Mapping[str, Any], columns: Columns) -> RawQuestion:
    options = _options(record, columns)
    return RawQuestion(
        row=row,
        split=split,
        stem=_text(record.get(columns.stem)),
        options=tuple(text for _, text in options),
        answer=_answer(_text(record.get(columns.answer)), columns.answer_is, [letter for letter, _ in options]),
        specialties=tuple(_names(record.get(columns.specialty))) if columns.specialty else (),
        votes=tuple(_names(record.get(columns.votes))) if columns.votes else (),
    )


def _options(record: Mapping[str, Any], columns: Columns) -> list[tuple[str, str]]:
    """(letter, text) of each option. Empty ones at the end are columns that this question does not use."""
    if isinstance(columns.options, list):
        pairs = list(zip(ascii_uppercase, (_text(record.get(name)) for name in columns.options), strict=False))
    else:
        pairs = _pairs(_parsed(record.get(columns.options)))
    while pairs and not pairs[-1][1]:
        pairs.pop()
    return pairs


def _pairs(value: Any) -> list[tuple[str, str]]:
    """(letter, text) from a list, a letter -> text mapping, or a list of key and value."""
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        value = value["text"]
    if isinstance(value, Mapping):
        return [(str(letter), _text(text)) for letter, text in sorted(value.items())]
    if isinstance(value, list) and value and all(isinstance(v, Mapping) and {"key", "value"} <= set(v) for v in value):
        return [(str(v["key"]), _text(v["value"])) for v in value]
    return list(zip(ascii_uppercase, map(_text, value), strict=False)) if isinstance(value, list) else []


def _answer(answer: str, kind: str, letters: list[str]) -> str | int:
    """The answer as text or index; an empty one stays empty, and one that names no option becomes no option."""
    if not answer or kind == "text":
        return answer
    if kind == "letter":
        folded = [letter.casefold() for letter in letters]
        wanted = answer.strip(" .()[]").casefold()
        return folded.index(wanted) if wanted in folded else NOT_AN_OPTION
    try:
        index = float(answer) - (kind == "number")
    except ValueError:
        return NOT_AN_OPTION
    return int(index) if index.is_integer() else NOT_AN_OPTION


def _names(value: Any) -> list[str]:
    value = _parsed(value)
    values = value if isinstance(value, list) else _text(value).split(";")
    return [name for name in (_text(v).strip() for v in values) if name]


def _parsed(value: Any) -> Any:
    """JSON text of a list or an object, parsed; anything else as it is."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _text(value: Any) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else str(value)
