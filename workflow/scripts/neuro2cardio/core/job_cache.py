"""What a job made, kept under the digest of all that it was made from, so that it is never computed twice.

Snakemake runs every job below one that ran, whether or not its inputs came out the same, and deletes its outputs first.
A job whose inputs are the same takes what is kept, and costs no GPU time.
"""

from collections.abc import Callable
import json
from pathlib import Path
import shutil
from typing import Any

from .code_digest import code_digest
from .files import atomic_write, write_json
from .provenance import sha256, text_digest, versions

MARK = "whole.json"
"""Names the files of a folder that was written to its end, and their digests."""


def cached(folder: Path, source: dict[str, Any], make: Callable[[Path, Path], None]) -> Path:
    """A folder of files that were made from exactly ``source``: the one kept in ``folder``, or else a new one.

    ``make(own, target)`` writes them to ``target``, at its end; what it wants to find again when it was killed stays in
    ``own``, which is there for this ``source`` alone. Whatever else is in ``folder`` is removed.
    """
    own = folder / text_digest(json.dumps(source, sort_keys=True))
    finished = own / "finished"
    if is_whole(finished):
        print("the same was made before and is kept: nothing to compute", flush=True)
    else:
        with atomic_write(finished) as part:
            part.mkdir()
            make(own, part)
            mark_whole(part)
    for stale in {*folder.glob("*"), *own.glob("*")} - {own, finished}:
        # A file that a network file system still holds open (.nfs...) goes by itself.
        shutil.rmtree(stale, ignore_errors=True)
    return finished


def made_from(record: Path, script: str, **more: Any) -> dict[str, Any]:
    """What a job of a model depends on: the model by its ``record``, the code of its script, packages, and more."""
    return {
        "model": json.loads(record.read_text(encoding="utf-8")),
        "code": code_digest(script),
        "versions": versions("torch", "transformers", "peft"),
        **more,
    }


def mark_whole(folder: Path) -> None:
    """Write the digests of a folder's files into it, last: without them, it was not written to its end."""
    write_json(folder / MARK, {p.name: sha256(p) for p in sorted(folder.iterdir()) if p.is_file()})


def is_whole(folder: Path) -> bool:
    """Whether a folder was written to its end and its files are still what they were."""
    mark = folder / MARK
    if not mark.is_file():
        return False
    digests = json.loads(mark.read_text(encoding="utf-8"))
    return all((folder / n).is_file() and sha256(folder / n) == digest for n, digest in digests.items())
