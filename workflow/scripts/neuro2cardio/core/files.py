"""Outputs are written whole or not at all: to a temporary name beside them, then moved."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import shutil
import tempfile
from typing import Any


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; what was written there becomes ``path`` when the block ends well.

    Works for a file or a folder. The temporary name differs for each writer, so that two never share a file; it
    keeps the suffix, which writers such as matplotlib go by. The data is on the disk before the name is.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=".part") as scratch:
        part = Path(scratch) / path.name
        yield part
        _follow_umask(part)
        if part.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with part.open("rb") as handle:
                os.fsync(handle.fileno())
        part.replace(path)


def _follow_umask(part: Path) -> None:
    """Give files the mode that the user's umask asks for; some writers (safetensors) make them private."""
    umask = os.umask(0)
    os.umask(umask)
    for path in (part, *part.rglob("*")) if part.is_dir() else (part,):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o666 & ~umask)


def write_text(path: Path | str, text: str) -> None:
    """Write a text file whole, in UTF-8."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Write JSON with sorted keys, so that equal values are equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
