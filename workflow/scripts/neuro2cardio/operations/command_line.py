"""Checks of the command line that Snakemake itself answers with a traceback, before it reads any Snakefile."""

from collections.abc import Sequence
from pathlib import Path

from ..config import yaml_files
from ..core import errors


def check(configfiles: Sequence[Path] | None, directory: Path | None) -> None:
    """End with a sentence if a file or folder that the command line names can't be used.

    Called by ``profiles/default/config.yaml``.

    Args:
        configfiles: What ``--configfile`` names.
        directory: What ``--directory`` names; it need not exist.
    """
    errors.run(lambda: _check(configfiles or (), directory))


def _check(configfiles: Sequence[Path], directory: Path | None) -> None:
    for file in configfiles:
        yaml_files.check(file)
    if directory is not None and directory.exists() and not directory.is_dir():
        raise errors.InputError(f"--directory {directory} is a file; name a folder, which need not exist")
