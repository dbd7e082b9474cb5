"""Atomic writes: outputs are written to a temporary name in the same folder and then renamed."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import shutil
import tempfile
from typing import Any

from .errors import InputError


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which is renamed to ``path`` if the block succeeds.

    Works for a file or a folder. Every writer gets a different temporary name, so two of them never write to the same
    file. The suffix is kept because writers such as matplotlib depend on it. Data is flushed to disk before renaming.
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


def check_folder(folder: Path | str, writing: bool = True) -> None:
    """Refuse a folder for outputs whose link leads nowhere, or that cannot be written to. It need not exist yet.

    A folder that vanished (scratch was cleaned, a disk is not mounted) looks as if nothing had been computed.

    Args:
        folder: It and each folder above it are checked, as far as the path says.
        writing: Whether it will be written to; only the links are checked otherwise.

    Raises:
        InputError: Names the link and where it leads, or the folder that does not allow writing.
    """
    folder = Path(folder)
    for path in (folder, *folder.parents):
        if path.is_symlink() and not path.exists():
            raise InputError(
                f"{path} is a link to {path.readlink()}, which is not there. Mount or restore it, so that finished "
                "results are found; or delete the link to compute everything anew"
            )
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        raise InputError(f"{existing} is a file, and a folder of that name is needed for {folder}. Rename the file")
    if writing and not os.access(existing, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise InputError(
            f"{existing.absolute()} does not allow writing, and {folder} goes there. Change its permissions, or choose "
            "another place with snakemake --directory"
        )


def _follow_umask(part: Path) -> None:
    """Apply the user's umask to files; some writers (safetensors) create them as private."""
    umask = os.umask(0)
    os.umask(umask)
    for path in (part, *part.rglob("*")) if part.is_dir() else (part,):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o666 & ~umask)


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Make ``target``, which must not exist, a hard link to ``source`` with the current time, so that it takes no disk.

    It is copied where the file system has no links, or where the file is another user's: its mode and time could not be
    set. Atomic writes never write through a link: they replace one name and leave the other file as it was.
    """
    source, target = Path(source), Path(target)
    try:
        if source.stat().st_uid != os.geteuid():
            raise PermissionError(f"{source} is another user's")
        target.hardlink_to(source)
        # Snakemake would take an output that is older than its inputs for outdated.
        os.utime(target)
    except OSError:
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)


def write_text(path: Path | str, text: str) -> None:
    """Write a text file in UTF-8, atomically."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Write JSON atomically, with sorted keys, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
