"""The results of jobs, stored under a digest of everything that they depend on, so that nothing is computed twice.

Snakemake reruns every job downstream of one that ran, even if its inputs did not change, and first deletes its outputs.
A job with unchanged inputs takes its results from this cache and needs no GPU time. Outputs are hard links into the
cache where possible. An output that is edited in place therefore changes in the cache, too: its digest differs, and
it is computed anew.
"""

from collections.abc import Callable
import json
from pathlib import Path
import shutil
from typing import Any

from .code_digest import code_digest
from .files import atomic_write, write_json
from .locks import exclusive
from .provenance import sha256, text_digest, versions

MARK = "whole.json"
"""Lists the files of a completely written folder with their digests."""


def cached(folder: Path, source: dict[str, Any], make: Callable[[Path, Path], None]) -> Path:
    """The folder with the results for exactly this ``source``: from the cache in ``folder``, or computed now.

    ``make(own, target)`` computes them and, at the end, writes them to ``target``. In ``own``, a folder for this
    ``source`` alone, it keeps checkpoints that a restarted job resumes from. Everything else in ``folder`` is removed.

    Raises:
        InputError: Another process is at work in ``folder``: two would share its checkpoints.
    """
    own = folder / text_digest(json.dumps(source, sort_keys=True))
    finished = own / "finished"
    with exclusive(folder, "this job"):
        if is_whole(finished):
            print("the same was made before and is kept: nothing to compute", flush=True)
        else:
            with atomic_write(finished) as part:
                part.mkdir()
                make(own, part)
                mark_whole(part)
        for stale in {*folder.glob("*"), *own.glob("*")} - {own, finished}:
            # Files that a network file system still holds open (.nfs...) disappear by themselves.
            shutil.rmtree(stale, ignore_errors=True)
    return finished


def made_from(record: Path, script: str, **more: Any) -> dict[str, Any]:
    """What a job with a model depends on: the model's ``record``, the script's code, package versions, and more."""
    return {
        "model": json.loads(record.read_text(encoding="utf-8")),
        "code": code_digest(script),
        "versions": versions("torch", "transformers", "peft"),
        **more,
    }


def mark_whole(folder: Path) -> None:
    """Write the digests of a folder's files into it, as the last file: a folder without it is incomplete."""
    write_json(folder / MARK, {p.name: sha256(p) for p in sorted(folder.iterdir()) if p.is_file()})


def is_whole(folder: Path) -> bool:
    """Whether a folder was completely written and its files have not changed since."""
    mark = folder / MARK
    if not mark.is_file():
        return False
    try:
        digests = json.loads(mark.read_text(encoding="utf-8"))
    except ValueError:
        return False
    there = {path.name for path in folder.iterdir() if path.is_file() and path.name != MARK}
    # An emptied list vouches for nothing: other files would be taken for the job's.
    if not isinstance(digests, dict) or not digests or set(digests) != there:
        return False
    return all(sha256(folder / name) == digest for name, digest in digests.items())
