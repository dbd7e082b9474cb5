"""Adapters whose settings changed while Snakemake's own record of them was lost.

Snakemake compares the parameters of a job with those in `.snakemake/metadata`. Where that is gone, it finds outputs
that are newer than their inputs, and keeps them whatever the configuration says by now. Each adapter's `run.json` says
with which settings it was trained.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
import json
from pathlib import Path
from typing import Any

from ..core.provenance import settings_differences

_METADATA = Path(".snakemake/metadata")
_LONGEST_NAME = 255
_RUN = "run.json"


def explain(adapters: Iterable[tuple[Path, Mapping[str, Any]]], rule: str) -> str:
    """What changed, and what to do about it; empty where nothing did, or where Snakemake will notice it itself.

    Args:
        adapters: Folder and present settings of each adapter, relative to the working directory.
        rule: The rule that trains them.
    """
    changed = {
        folder: found
        for folder, settings in adapters
        if not _is_recorded(folder / _RUN) and (found := settings_differences(_trained_with(folder), settings))
    }
    if not changed:
        return ""
    folder, found = next(iter(changed.items()))
    differing = [f"{key}: {then!r} then, {now!r} now" for key, then, now in found]
    return (
        f"{len(changed)} adapters ({folder}{', ...' if len(changed) > 1 else ''}) were trained with other settings "
        f"than the configuration has now ({'; '.join(differing)}), and Snakemake's record of them (.snakemake) is "
        f"gone, so that it would keep them as they are. Train them again with --forcerun {rule}, or set the "
        "configuration back"
    )


def _is_recorded(output: Path) -> bool:
    """Whether Snakemake has a record of an output: a file named by the path, in folders where that is too long."""
    name = urlsafe_b64encode(str(output).encode()).decode()
    *folders, last = (name[i : i + _LONGEST_NAME - 1] for i in range(0, len(name), _LONGEST_NAME - 1))
    return _METADATA.joinpath(*(f"@{part}" for part in folders), last).exists()


def _trained_with(folder: Path) -> Any:
    try:
        return json.loads((folder / _RUN).read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        # An adapter that is not there yet; a damaged record is found by the jobs that read it.
        return {}
