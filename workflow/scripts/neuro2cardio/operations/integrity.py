"""Find result files that are truncated, changed since they were written, or copied from elsewhere."""

from collections.abc import Iterator
import json
from pathlib import Path
import shutil
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..core import tables
from ..core.adapters import Adapter
from ..core.errors import InputError
from ..models import adapter_files, model_files

_OF_ADAPTERS = ("predictions", "term_logprobs")


def find(results: Path) -> Iterator[tuple[Path, str]]:
    """Files and folders that the next run has to make again, each with what is wrong with it.

    Parquet tables that are truncated, or in which a page differs from its checksum; train sets and tables of an adapter
    that belong to another, or were made with another adapter than is there; adapters whose files are not what training
    wrote, belong to another place, or were trained on another base model than is recorded beside the results; result
    tables that were edited or cut.
    """
    for path in sorted(results.rglob("*.parquet")):
        if problem := _table_problem(results, path):
            yield path, problem
    for path in sorted(results.glob("*/tables/*.csv")):
        if tables.is_changed(path):
            yield path, "edited or cut since it was written"
    for run in sorted(results.glob("*/adapters/**/run.json")):
        if problem := _adapter_problem(results, run):
            yield run.parent, problem


def remove(path: Path) -> None:
    """Remove damaged results, so that the next run makes them again."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _table_problem(results: Path, path: Path) -> str:
    try:
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        return f"truncated or invalid ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
    parts = path.relative_to(results).parts
    if len(parts) == 3 and parts[1] == "train_sets" and (said := _origin(path).get("train_set", "")) != path.stem:
        return f"it is the train set {said!r}" if said else "it does not say which train set it is"
    if len(parts) < 3 or parts[1] not in _OF_ADAPTERS or not set(tables.KEYS.names) <= set(table.column_names):
        return ""
    rows = table.select(tables.KEYS.names).group_by(tables.KEYS.names).aggregate([]).to_pylist()
    paths = [Adapter(**row).path(results / parts[0] / parts[1]) for row in rows]
    if paths != [path]:
        return f"its rows are those of {', '.join(str(p.relative_to(results)) for p in paths)}"
    adapter = Adapter(**rows[0]).path(results / parts[0] / "adapters", "")
    read = _origin(path).get("adapter")
    there = adapter_files.trained_weights(adapter)
    return "it was made with another adapter than is there" if read and there and read != there else ""


def _origin(path: Path) -> dict[str, str]:
    try:
        return tables.origin(path)
    except InputError:
        return {}


def _adapter_problem(results: Path, run: Path) -> str:
    _, _, *axes, seed = run.parent.relative_to(results).parts
    key = dict(zip(("model", "recipe", "train_set"), axes, strict=False))
    whole = len(axes) == len(key) == 3 and seed.rpartition("-")[2].isdecimal()
    if not whole:
        return adapter_files.problem(run.parent)
    record = results.parent / "resources/models" / key["model"] / model_files.RECORD
    return adapter_files.problem(run.parent, {**key, "seed": int(seed.rpartition("-")[2])}, _record(record))


def _record(path: Path) -> dict[str, Any] | None:
    """What the record of a base model says; None where there is none, or none that can be compared."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) and {"weights", "files"} <= said.keys() else None
