"""Result files that are not what was written: cut short by a full disk or a crash of the file system."""

from collections.abc import Iterator
import json
from pathlib import Path
import shutil

import pyarrow as pa
import pyarrow.parquet as pq

from ..core.provenance import sha256
from ..models.registry import WEIGHTS


def find(results: Path) -> Iterator[Path]:
    """Tables that are no whole Parquet file, and folders of adapters whose weights are not what training wrote.

    A table is told by its end, an adapter by its digest: a bit that flipped inside a table is not seen.
    """
    yield from (path for path in sorted(results.rglob("*.parquet")) if not _is_whole_table(path))
    yield from (path.parent for path in sorted(results.glob("*/adapters/**/run.json")) if not _is_whole_adapter(path))


def remove(path: Path) -> None:
    """Remove what is damaged, so that the next run makes it again."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _is_whole_table(path: Path) -> bool:
    try:
        pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError):
        return False
    return True


def _is_whole_adapter(run: Path) -> bool:
    weights = run.with_name(WEIGHTS)
    try:
        said = json.loads(run.read_text(encoding="utf-8"))["adapter_sha256"]
    except (ValueError, KeyError):
        return False
    return weights.is_file() and sha256(weights) == said
