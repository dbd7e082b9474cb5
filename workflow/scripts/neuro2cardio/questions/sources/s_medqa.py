"""S-MedQA, the official release (github.com/nlp4health-lab/S-MedQA, MIT): a JSON list for each split."""

from collections.abc import Iterator
from pathlib import Path

from ...config.dataset import Columns
from ...core.downloads import fetch_url
from . import RawQuestion, table

COMMIT = "5065de3ac1cfff1cd967e945025d97adb53fa7a6"
_BASE = f"https://raw.githubusercontent.com/nlp4health-lab/S-MedQA/{COMMIT}/S-MedQA%20dataset"
_BLOB_IDS = {
    "train": "168e7432a395fb86a8d94e7849651c6ab0adb23e",
    "validation": "b4ba7e42011d3e1eef76710ba9789a301c3c2789",
    "test": "ab048bfd24c5b028d5bf0d7d59345e9bba078f04",
}


COLUMNS = Columns(stem="Question", options="Options", answer="Answer", specialty="Specialty")


def fetch(split: str, destination: Path | str) -> None:
    """Download one split of the release, pinned by commit and git blob id. Raises `InputError`."""
    name = f"S-MedQA_{split}.json"
    advice = f"set dataset.origin.directory to a folder that holds {name}, or run this step where there is internet"
    fetch_url(f"{_BASE}/{name}", destination, _BLOB_IDS[split], otherwise=advice)


def rows(path: Path | str, split: str) -> Iterator[RawQuestion]:
    """The questions of one file: a list of ``{Question, Specialty, Options, Answer}``; `Answer` is the option's text.

    Raises:
        InputError: The file is not a JSON list, or one of these keys is in no row.
    """
    return table.rows(path, split, COLUMNS)
