"""The settings of one job, in a file that the Snakefile writes and the job's command reads."""

import json
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ..core.errors import InputError
from ..core.files import write_json
from ..core.provenance import text_digest
from .settings import canonical_json


class JobSettings(BaseModel):
    """The content of the file given by ``--settings``. Each command declares its own fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and validate a settings file.

        Raises:
            InputError: The file is missing, is not JSON, or holds other settings than this command reads.
        """
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise InputError(f"{path}: not the settings of this command: {problems}") from error


def read_json(path: Path) -> Any:
    """The content of a settings file. Raises `InputError` where it is missing or is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: can't be read as JSON ({error}); `snakemake` writes it when it runs") from error


def path_for(folder: Path | str, stage: str, settings: BaseModel | dict[str, Any]) -> Path:
    """Where the settings of a job belong: a name that says what they are, so that equal settings are one file.

    As a parameter of a rule, the path makes Snakemake run exactly those jobs again whose settings changed.
    """
    return Path(folder) / f"{stage}-{text_digest(canonical_json(settings))}.json"


def write(path: Path, settings: BaseModel | dict[str, Any]) -> None:
    """Write the settings of a job to `path_for` them, unless they are there. Safe beside other writers."""
    values = json.loads(canonical_json(settings))
    try:
        if json.loads(path.read_text(encoding="utf-8")) == values:
            return
    except (OSError, ValueError):
        pass  # Missing or damaged: write it again.
    write_json(path, values)
