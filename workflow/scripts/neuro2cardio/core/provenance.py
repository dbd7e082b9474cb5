"""Digests and versions that record what a file was made from. Cheap to import, because the Snakefile does."""

from collections.abc import Mapping
import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any


def sha256(path: Path | str) -> str:
    """Hex digest of a file's bytes."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def git_blob_id(data: bytes) -> str:
    """The id git gives a file: the SHA-1 of "blob", a space, its length, a zero byte and its bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def text_digest(*texts: str) -> str:
    """First 16 hex digits of the sha256 over texts, each terminated so that different lists have different digests."""
    return hashlib.sha256(b"".join(t.encode() + b"\0" for t in texts)).hexdigest()[:16]


def folder_state(folder: Path) -> str:
    """Digest of the names, sizes and times of the files of a model's folder: a cheap way to notice changes."""
    folder = folder.expanduser()
    found = (*folder.glob("*"), *folder.glob("additional_chat_templates/*"))
    files = sorted(path for path in found if path.is_file())
    return text_digest(*(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files))


def settings_differences(one: Any, other: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Keys, by dotted names, that two settings both have with different values, and the values.

    A key that only one of them has came or went with a version, and differs in nothing.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        both = [name for name in one if name in other]
        return [
            found
            for name in both
            for found in settings_differences(one[name], other[name], f"{key}.{name}" if key else str(name))
        ]
    return [] if one == other else [(key, one, other)]


def versions(*packages: str) -> dict[str, str]:
    """Installed versions by package name."""
    return {name: metadata.version(name) for name in packages}
