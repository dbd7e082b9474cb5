"""Read the files that users provide: question tables and expert sheets, from whatever program.

One reader for JSON, JSON Lines, CSV in its dialects, and Parquet. A row of the wrong form is returned with its
problem, so that the caller can list it; only a file that can't be read at all raises.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
import csv
from dataclasses import dataclass, field
import io
from itertools import zip_longest
import json
import math
from pathlib import Path
import re
from typing import Any

from .errors import InputError

SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
"""File name endings that can be read, in lower case."""

_DELIMITERS = ",;\t|"
_MARKS = (((b"\xff\xfe\0\0", b"\0\0\xfe\xff"), "utf-32"), ((b"\xff\xfe", b"\xfe\xff"), "utf-16"))
"""What files in other encodings than UTF-8 begin with."""
_MAX_CELL = 2**31 - 1
_QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_ITEM = rf"(?:(?:np|numpy)\.str_\({_QUOTED}\)|{_QUOTED})"
_PRINTED_LIST = re.compile(
    rf"(?:array\()?\[\s*(?P<items>{_ITEM}(?:[\s,]+{_ITEM})*)?,?\s*\](?:,\s*dtype=[^)]*)?\)?", re.DOTALL
)
_PRINTED_TUPLE = re.compile(rf"\(\s*(?P<items>{_ITEM}\s*,(?:\s*{_ITEM}\s*,?)*)\s*\)", re.DOTALL)


class NotText(ValueError):
    """A cell that is neither text nor a number."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file.

    Attributes:
        row: Where it is, for people to find it again: the file's name and the physical line, or the item's number
            in a JSON list or a Parquet file.
        values: Column name -> cell, as the file has it.
        problem: Why the row can't be read; empty if it can.
    """

    row: str
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def read(path: Path) -> list[Record]:
    """The rows of a file, in order. Rows in which every cell is empty are left out.

    Raises:
        InputError: The file is missing, is not UTF-8 or UTF-16 text, is not what its ending says, or has a header
            that names a column twice.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: is none of {', '.join(SUFFIXES)}; spreadsheets save a sheet as CSV UTF-8")
    if suffix == ".parquet":
        records = _parquet(path)
    else:
        text = _decoded(path)
        records = _delimited(path, text) if suffix in (".csv", ".tsv") else _json(path, text)
    return [record for record in records if record.problem or not _is_empty(record.values)]


def columns(records: Sequence[Record]) -> dict[str, None]:
    """Every column that a row has, in order of first appearance."""
    return {name: None for record in records for name in record.values}


def resolve(name: str, known: Mapping[str, None]) -> str | None:
    """The column that a name means: the one of this name, or the only one that differs in case or blanks around it."""
    if name in known:
        return name
    alike = [column for column in known if column.strip().casefold() == name.strip().casefold()]
    return alike[0] if len(alike) == 1 else None


def text(value: Any) -> str:
    """A cell as text: nothing for a missing one, ``10`` for a whole float.

    Raises:
        NotText: The cell holds a list, an object, a truth value, or bytes that are not UTF-8.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise NotText("bytes that are not UTF-8 text") from None
    if isinstance(value, bool):
        raise NotText(f"a truth value ({str(value).lower()}) where text should be")
    if isinstance(value, int | float):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, Mapping):
        raise NotText(f"an object with the keys {', '.join(map(repr, list(value)[:5]))} where text should be")
    if isinstance(value, list | tuple):
        raise NotText("a list where text should be")
    raise NotText(f"a value of the type {type(value).__name__} where text should be")


def parsed(value: Any) -> Any:
    """A list or object that a cell holds as text, as JSON or as Python or numpy print it; any other cell as it is.

    ``['x', 'y']`` is what pandas writes into a CSV for a list, ``('x', 'y')`` for a tuple, ``['x' 'y']`` for a numpy
    array, and ``[np.str_('x'), np.str_('y')]`` for a list of an array's items.
    """
    if isinstance(value, str) and (stripped := value.strip())[:1] in ("[", "(", "{", "a"):
        try:
            return json.loads(stripped)
        except (ValueError, RecursionError):
            return _printed(stripped, value)
    # Parquet's MAP arrives as pairs.
    if isinstance(value, list) and value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
        return dict(value)
    return value


def _printed(stripped: str, value: str) -> Any:
    if found := _PRINTED_LIST.fullmatch(stripped) or _PRINTED_TUPLE.fullmatch(stripped):
        return [ast.literal_eval(item) for item in re.findall(_QUOTED, found["items"] or "", re.DOTALL)]
    if stripped.startswith("{"):
        try:
            literal = ast.literal_eval(stripped)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
        return literal if isinstance(literal, dict) else value
    return value


def _is_empty(values: Mapping[str, Any]) -> bool:
    return all(value is None or (isinstance(value, str) and not value.strip()) for value in values.values())


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    encoding = next((name for marks, name in _MARKS if data.startswith(marks)), "utf-8-sig")
    try:
        content = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}: not UTF-8 text (line {line}, byte {data[error.start]:#04x}); save it as CSV UTF-8, or convert "
            "it, for example with: iconv -f WINDOWS-1252 -t UTF-8"
        ) from error
    if "\0" in content:
        line = content[: content.index("\0")].count("\n") + 1
        raise InputError(f"{path}: zero bytes on line {line} (UTF-16 without its mark?); save it as CSV UTF-8")
    return content


def _delimited(path: Path, content: str) -> list[Record]:
    """CSV as spreadsheets save it: split by comma, semicolon, tab or bar, with or without a ``sep=`` line."""
    lines = io.StringIO(content, newline="")
    first_line, delimiter = 0, ""
    if found := re.match(r'"?sep=(.)"?\r?\n', content, re.IGNORECASE):
        delimiter, first_line = found[1], 1
        lines.seek(found.end())
    delimiter = delimiter or _delimiter(content, path.suffix.lower())
    csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    cells = _cells(path, reader, first_line)
    header: list[str] | None = None
    records = []
    for line, row in cells:
        if not any(cell.strip() for cell in row):
            continue
        if header is None:
            header = _header(path, row)
        else:
            records.append(_row(f"{path.name}:{line}", header, row))
    if header is None:
        raise InputError(f"{path}: has no header line")
    return records


def _cells(path: Path, reader: Any, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """Each row of a CSV file with the physical line it begins on."""
    while True:
        line = first_line + reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            opened = "a quotation mark that opens there is never closed" if "unexpected end" in str(error) else error
            raise InputError(f"{path}, line {line}: cannot be read as CSV: {opened}") from error
        yield line, row


def _delimiter(content: str, suffix: str) -> str:
    """The character that splits the header into most cells; for a tie, what the file's ending says."""
    usual = "\t" if suffix == ".tsv" else ","
    header = content.lstrip("\r\n")[:100_000]

    def cells(delimiter: str) -> int:
        try:
            return len(next(csv.reader(io.StringIO(header, newline=""), delimiter=delimiter), []))
        except csv.Error:
            return 0

    return max([usual, *_DELIMITERS], key=cells)


def _header(path: Path, row: list[str]) -> list[str]:
    while row and not row[-1].strip():
        row = row[:-1]
    names = [name.strip() for name in row]
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise InputError(
            f"{path}: the header has several columns named {', '.join(map(repr, doubled))}; give each a name of its own"
        )
    return names


def _row(name: str, header: list[str], row: list[str]) -> Record:
    while len(row) > len(header) and not row[-1].strip():
        row = row[:-1]
    values = {column: cell for column, cell in zip_longest(header, row[: len(header)], fillvalue="") if column}
    if len(row) == len(header):
        return Record(name, values)
    more = "more" if len(row) > len(header) else "fewer"
    reason = (
        f"{len(row)} cells, {more} than the header's {len(header)} (a comma or quotation mark in an unquoted text?)"
    )
    return Record(name, values, reason)


def _json(path: Path, content: str) -> list[Record]:
    """A JSON list of objects, or one object a line, whichever of the two the ending says."""
    doubled = _DoubledKey()
    try:
        items = json.loads(content, object_pairs_hook=doubled)
    except (ValueError, RecursionError) as error:
        return _json_lines(path, content, error)
    # A JSON Lines file of one line is a JSON object.
    if isinstance(items, dict) and len([line for line in content.split("\n") if line.strip()]) == 1:
        items = [items]
    if not isinstance(items, list):
        raise InputError(f"{path}: should be a list of objects, or one object a line")
    return [_item(f"{path.name}:{number}", item) for number, item in enumerate(items, start=1)]


def _json_lines(path: Path, content: str, whole: Exception) -> list[Record]:
    records: list[Record] = []
    # Not splitlines(): it also breaks at characters that may be part of a JSON string.
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            item = json.loads(line, object_pairs_hook=_DoubledKey())
        except (ValueError, RecursionError) as error:
            if not records:
                raise InputError(f"{path}: cannot be read as JSON: {_why(whole)}") from error
            records.append(Record(f"{path.name}:{number}", problem=f"not JSON: {_why(error)}"))
            continue
        records.append(_item(f"{path.name}:{number}", item))
    if not records:
        raise InputError(f"{path}: is empty")
    return records


def _why(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


class _DoubledKey:
    """Builds JSON objects, and marks those with a duplicate key, of which JSON would silently keep the last value."""

    MARK = "\0doubled"

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            made[self.MARK] = next(name for name in names if names.count(name) > 1)
        return made


def _item(name: str, item: Any) -> Record:
    if not isinstance(item, dict):
        return Record(name, problem=f"not an object with named values but {type(item).__name__}")
    if (key := _doubled_in(item)) is not None:
        return Record(name, {}, f"the key {key!r} is given twice")
    return Record(name, item)


def _doubled_in(item: Any) -> str | None:
    waiting = [item]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if _DoubledKey.MARK in value:
                return str(value[_DoubledKey.MARK])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return None


def _parquet(path: Path) -> list[Record]:
    # Imported here: the Snakefile learns the readable endings from this module.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {error}") from error
    doubled = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if doubled:
        raise InputError(f"{path}: several columns are named {', '.join(map(repr, doubled))}")
    return [Record(f"{path.name}:{number}", row) for number, row in enumerate(table.to_pylist(), start=1)]
