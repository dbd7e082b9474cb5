"""S-MedQA, the official release (github.com/nlp4health-lab/S-MedQA, MIT): a JSON list for each split."""

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

from ...core.downloads import fetch_url
from ...core.errors import InputError
from . import RawQuestion

COMMIT = "5065de3ac1cfff1cd967e945025d97adb53fa7a6"
_BASE = f"https://raw.githubusercontent.com/nlp4health-lab/S-MedQA/{COMMIT}/S-MedQA%20dataset"
_BLOB_IDS = {
    "train": "168e7432a395fb86a8d94e7849651c6ab0adb23e",
    "validation": "b4ba7e42011d3e1eef76710ba9789a301c3c2789",
    "test": "ab048bfd24c5b028d5bf0d7d59345e9bba078f04",
}


def fetch(split: str, destination: Path | str) -> None:
    """Download one split of the release, pinned by commit and git blob id. Raises `InputError`."""
    name = f"S-MedQA_{split}.json"
    advice = f"set dataset.origin.directory to a folder that holds {name}, or run this step where there is internet"
    fetch_url(f"{_BASE}/{name}", destination, _BLOB_IDS[split], otherwise=advice)


def rows(path: Path | str, split: str) -> Iterator[RawQuestion]:
    """The questions of one file: a list of ``{Question, Specialty, Options, Answer}``; `Answer` is the option's text.

    What a row lacks comes out empty. Raises `InputError` where the file is no JSON list of objects.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not a whole JSON file in UTF-8 ({error})") from error
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise InputError(f"{path}: should be a list of objects with Question, Specialty, Options and Answer")
    for number, row in enumerate(data, start=1):
        yield RawQuestion(
            row=f"{Path(path).name}:{number}",
            split=split,
            stem=_text(row.get("Question")),
            options=tuple(map(_text, _list(row.get("Options")))),
            answer=_text(row.get("Answer")),
            specialties=tuple(s for s in map(_text, _list(row.get("Specialty"))) if s),
        )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return "" if value is None else str(value)
