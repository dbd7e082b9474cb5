"""The lexicon: which texts are clinical terms, and of which specialties."""

from collections.abc import Collection
from dataclasses import dataclass
import json
from pathlib import Path

import pandas as pd

from ...core import ontologies, provenance, specialties
from ...core.errors import InputError
from . import hpo, icd10cm, supplement
from .entries import LEXICON, Entry
from .merging import build

__all__ = ["LEXICON", "Entry", "Lexicon", "build", "dictionary", "embedded"]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """A table (`LEXICON`), and the names and versions of what it was built from."""

    terms: pd.DataFrame
    versions: dict[str, str]


def embedded(hpo_file: Path | str | None, icd10cm_file: Path | str, *, max_specialties: int) -> Lexicon:
    """The project's own lexicon, from hp.obo (None: without it), the tabular list of ICD-10-CM and the supplement.

    Raises `InputError` if a file is missing or invalid.
    """
    release, codes = icd10cm.read_icd10cm(icd10cm_file)
    entries = [*supplement.entries(), *icd10cm.entries(codes)]
    versions = {"ICD-10-CM": release, "supplement": provenance.sha256(supplement.SUPPLEMENT)[:16]}
    if hpo_file is not None:
        entries += hpo.entries(ontologies.read_hpo(hpo_file))
        versions["Human Phenotype Ontology"] = ontologies.hpo_version(hpo_file)
    return Lexicon(build(entries, max_specialties=max_specialties), versions)


def dictionary(path: Path | str, *, max_specialties: int, declared: Collection[str] = ()) -> Lexicon:
    """A lexicon from a JSON file that maps each term to the list of its specialties: of the fifteen, or `declared`.

    Raises `InputError` if the file is missing, is not such a mapping, or names an unknown specialty.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8-sig"), object_pairs_hook=_without_doubles)
    except FileNotFoundError as error:
        raise InputError(f"terms.lexicon.path: {path}: no such file") from error
    except RecursionError as error:
        raise InputError(f"terms.lexicon.path: {path}: nested too deeply; it should map terms to lists") from error
    except ValueError as error:
        raise InputError(f"terms.lexicon.path: {path}: not JSON in UTF-8 ({error})") from error
    if not isinstance(content, dict) or not content:
        raise InputError(f'{path}: should map terms to specialties, like {{"angina": ["Cardiology"]}}')
    entries = [_listed(path, term, names, declared) for term, names in content.items()]
    return Lexicon(build(entries, max_specialties=max_specialties), {"dictionary": provenance.sha256(path)[:16]})


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the term {next(n for n in names if names.count(n) > 1)!r} is given twice")
    return made


def _listed(path: Path | str, term: str, names: object, declared: Collection[str]) -> Entry:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: the specialties of {term!r} should be a list of names, not {names!r}")
    try:
        found = tuple(sorted({specialties.canonical_or_declared(name, declared) for name in names}))
    except InputError as error:
        raise InputError(f"{path}: {term!r}: {error}") from error
    return Entry(term, found, "term", f"dictionary:{term}", "dictionary", loose=False)
