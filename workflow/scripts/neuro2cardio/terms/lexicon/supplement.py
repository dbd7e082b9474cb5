"""The project's own terms: drugs, anatomy, tests and words that the ontologies miss, each with its specialties."""

from collections.abc import Iterator
import csv
from pathlib import Path

from ...core import specialties
from ...core.errors import InputError
from ...core.ontologies import MAPPINGS
from .entries import Entry

SUPPLEMENT = MAPPINGS / "supplement.tsv"
KINDS = frozenset(
    {"anatomy", "disorder", "drug", "finding", "general", "injury", "organism", "procedure", "state", "test"}
)
_HEADER = ["term", "specialties", "kind"]


def entries(path: Path | str = SUPPLEMENT) -> Iterator[Entry]:
    """Lines of the supplement: term, specialties (split by ``;``), kind.

    A line of kind ``general`` has no specialties: it takes a text out of the lexicon that an ontology would put in.
    Raises `InputError` with the line's number for an unknown specialty or kind, or a term that is listed twice.
    """
    seen: set[str] = set()
    with Path(path).open(encoding="utf-8", newline="") as handle:
        rows = csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
        if next(rows, None) != _HEADER:
            raise InputError(f"{path}: the first line should name the columns {', '.join(_HEADER)}")
        for number, row in enumerate(rows, start=2):
            try:
                yield _entry(row, seen)
            except InputError as error:
                raise InputError(f"{path}, line {number}: {error}") from None


def _entry(row: list[str], seen: set[str]) -> Entry:
    if len(row) != len(_HEADER):
        raise InputError(f"{len(row)} columns instead of {len(_HEADER)}: {row}")
    text, names, kind = row
    if text in seen or not text.strip():
        raise InputError(f"term {text!r} is empty or listed twice")
    if kind not in KINDS:
        raise InputError(f"unknown kind {kind!r}; known: {', '.join(sorted(KINDS))}")
    seen.add(text)
    found = tuple(sorted(specialties.canonical(name) for name in names.split(";") if name.strip()))
    return Entry(text, found, kind, f"N2C:{text}", "supplement")
