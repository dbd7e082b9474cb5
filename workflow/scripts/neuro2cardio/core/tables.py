"""The tables that stages pass on to each other. Columns and types are checked on every read and write."""

from collections.abc import Mapping
import json
from pathlib import Path
import re
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from .errors import InputError
from .files import atomic_write, write_text
from .provenance import sha256

_MADE_FROM = b"neuro2cardio:made_from"
_TEXTS = pa.list_(pa.string())
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a formula starts, also in full-width characters, which some spreadsheets take for the same."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?%?|-?inf", re.IGNORECASE)

QUESTIONS = pa.schema(
    {
        "question_id": pa.string(),
        "split": pa.string(),
        "source": pa.string(),
        "source_row": pa.string(),
        "stem": pa.string(),
        "options": _TEXTS,
        "answer": pa.int64(),
        "specialty": pa.string(),
        "specialties": _TEXTS,
        "votes": _TEXTS,
    }
)
"""One row per question. `answer` is an index into `options`; `specialties` includes the primary `specialty`."""

PROBES = pa.schema(
    [*QUESTIONS, pa.field("fact", pa.string()), pa.field("form", pa.string()), pa.field("trained", pa.bool_())]
)
"""One row a fact and form: questions of the split `probe`, which count in no test set. `fact` is the id of its term,
`trained` whether the own specialty's train set asks for it."""

MENTIONS = pa.schema(
    {
        "mention_id": pa.string(),
        "question_id": pa.string(),
        "start": pa.int64(),
        "end": pa.int64(),
        "text": pa.string(),
        "concept_ids": _TEXTS,
        "specialties": _TEXTS,
        "kind": pa.string(),
        "scope": pa.string(),
        "matched_to": pa.string(),
    }
)
"""One row per mention: `stem[start:end] == text`. `scope` is `strict` (in both lexicons) or `broad` (only in that one);
`matched_to` is the `mention_id` of a placebo's term, and empty for terms."""

SCOPES = ("strict", "broad")
"""The lexicons: each also has the terms of those before it."""

KEYS = pa.schema({"model": pa.string(), "recipe": pa.string(), "train_set": pa.string(), "seed": pa.int64()})
"""The adapter that a row belongs to. The base model has recipe and train set `base` and seed -1."""

PREDICTIONS = pa.schema(
    [
        *KEYS,
        pa.field("method", pa.string()),
        pa.field("question_id", pa.string()),
        pa.field("permutation", pa.int64()),
        pa.field("option_logprobs", pa.list_(pa.float64())),
        pa.field("answer_mass", pa.float64()),
        pa.field("chosen", pa.int64()),
        pa.field("correct", pa.bool_()),
    ]
)
"""One row a question, method and order of its options. `option_logprobs` follow `options`, not the letters; they are
empty and `chosen` is -1 where nothing could be parsed from a generated text. `answer_mass` is the probability of all
offered letters together, NaN for methods other than `letter`."""

TERM_LOGPROBS = pa.schema(
    [
        *KEYS,
        pa.field("context", pa.string()),
        pa.field("mention_id", pa.string()),
        pa.field("question_id", pa.string()),
        pa.field("n_tokens", pa.int64()),
        pa.field("n_words", pa.int64()),
        pa.field("logprob_sum", pa.float64()),
        pa.field("logprob_first", pa.float64()),
        pa.field("logprob_starts", pa.float64()),
    ]
)
"""One row a mention and context (`prompt` or `bare`), in nats. `logprob_starts` is summed over the first tokens of the
mention's `n_words` words. `n_tokens` and `n_words` are 0 and the sums are NaN where the mention was cut off with the
start of a stem longer than the model's window."""


def write(frame: pd.DataFrame, path: Path | str, schema: pa.Schema, made_from: Mapping[str, str] | None = None) -> None:
    """Write a table as Parquet, atomically.

    Args:
        frame: The rows.
        path: The file.
        schema: Columns and types.
        made_from: What the table was made from, such as digests of the files that were read. `origin` reads it.

    Raises:
        InputError: Columns or types differ from the schema.
    """
    _check(set(frame.columns), schema, path)
    try:
        table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(f"{path}: {error}") from error
    with atomic_write(path) as part:
        metadata = {_MADE_FROM: json.dumps(dict(made_from), sort_keys=True)} if made_from else None
        pq.write_table(table.replace_schema_metadata(metadata), part, compression="zstd", write_page_checksum=True)


def origin(path: Path | str) -> dict[str, str]:
    """What a table says it was made from; empty where it says nothing.

    Raises:
        InputError: The file is missing, or is not a Parquet file.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such table") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: truncated or invalid Parquet file ({error}); delete it and run again") from error
    try:
        said = json.loads(metadata.get(_MADE_FROM, b"{}"))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def write_csv(frame: pd.DataFrame, path: Path | str, *, sealed: bool = False) -> None:
    """Write a result table for people as CSV, atomically, with six digits and empty cells for NaN.

    Where ``sealed``, its digest is written beside it, for `read_csv` to notice an edited or cut table.

    Text goes through `no_formula`: users' questions and answers end up in these tables, and people open them in
    spreadsheets. Numbers are written as they are.
    """
    texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    safe = frame.assign(**{name: [_one_line_end(no_formula(cell)) for cell in frame[name]] for name in texts})
    with atomic_write(path) as part:
        safe.to_csv(part, index=False, float_format="%.6g", lineterminator="\n")
    if sealed:
        # In the form of `sha256sum --check`.
        write_text(_seal(Path(path)), f"{sha256(path)}  {Path(path).name}\n")


def read_csv(path: Path | str, **how: Any) -> pd.DataFrame:
    """Read a table that `write_csv` wrote; ``how`` goes to `pandas.read_csv`.

    Raises:
        InputError: The file is missing, or was changed after it was written.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such table")
    if is_changed(path):
        raise InputError(
            f"{path}: edited or cut since it was written; delete it and run again, and make changes in a copy"
        )
    return pd.read_csv(path, **how)


def is_changed(path: Path | str) -> bool:
    """Whether a sealed table differs from what was written. A table without a seal does not."""
    seal = _seal(Path(path))
    return seal.is_file() and seal.read_text(encoding="utf-8").split()[:1] != [sha256(path)]


def _seal(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def no_formula(cell: Any) -> Any:
    """A cell that no spreadsheet evaluates: text that starts like a formula gets a leading apostrophe.

    Spreadsheets take the apostrophe for "this is text"; a program that reads the table removes one leading apostrophe.
    Text that is a number (``-1.5``) and values that are not text stay as they are.
    """
    if not isinstance(cell, str) or not cell.startswith(_FORMULA) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"


def _one_line_end(cell: Any) -> Any:
    """Line breaks as the file's own: Python writes a lone carriage return without quotes, and it would end the row."""
    return cell.replace("\r\n", "\n").replace("\r", "\n") if isinstance(cell, str) else cell


def read(path: Path | str, schema: pa.Schema) -> pd.DataFrame:
    """Read a table written by `write`; list columns come back as Python lists.

    Raises `InputError` if the file is missing or truncated, or if its columns differ from `schema`.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such table") from error
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        raise InputError(f"{path}: truncated or invalid Parquet file ({error}); delete it and run again") from error
    _check(set(table.column_names), schema, path)
    frame = table.select(schema.names).cast(schema).to_pandas()
    for name in (field.name for field in schema if pa.types.is_list(field.type)):
        frame[name] = table.column(name).to_pylist()
    return frame


def _check(columns: set[str], schema: pa.Schema, path: Path | str) -> None:
    missing, unknown = set(schema.names) - columns, columns - set(schema.names)
    if missing or unknown:
        raise InputError(
            f"{path}: columns differ from the contract: missing {sorted(missing)}, unknown {sorted(unknown)}"
        )
