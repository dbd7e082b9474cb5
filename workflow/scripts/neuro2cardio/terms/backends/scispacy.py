"""Experimental: UMLS linking with scispacy. The user installs its models and the UMLS data; CI never ran it."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pandas as pd

from ...config.terms import SciSpacy
from ...core.errors import InputError
from ..lexicon.spelling import fold
from ..matching import Mention

SEMANTIC_TYPES: dict[str, str] = {
    **dict.fromkeys(("T019", "T020", "T046", "T047", "T048", "T050", "T190", "T191"), "disorder"),
    **dict.fromkeys(("T033", "T034", "T184"), "finding"),
    "T037": "injury",
    **dict.fromkeys(("T017", "T022", "T023", "T024", "T029", "T030"), "anatomy"),
    **dict.fromkeys(("T109", "T121", "T125", "T129", "T195", "T200"), "drug"),
    **dict.fromkeys(("T059", "T060"), "test"),
    "T061": "procedure",
    **dict.fromkeys(("T004", "T005", "T007", "T204"), "organism"),
}
"""UMLS semantic types that are clinical terms, and the kind each is. Others (occupations, qualifiers, ...) are not."""

_INSTALL = (
    "the scispacy backend needs scispacy, the model {model} and its UMLS linker (a download of some GB); install them "
    "in the environment of the rule `mentions` (https://allenai.github.io/scispacy/), or set terms.lexicon.backend to "
    "embedded"
)


class SciSpacyBackend:
    """Entities of a scispacy model, linked to UMLS; specialties by the names of the linked concept in the lexicon."""

    def __init__(
        self, settings: SciSpacy, lexicon: pd.DataFrame, versions: dict[str, str], max_specialties: int
    ) -> None:
        self._pipeline = _pipeline(settings)
        self._knowledge = self._pipeline.get_pipe("scispacy_linker").kb
        self._max = max_specialties
        self._lexicon_versions = versions
        terms = lexicon[lexicon["scope"] != "none"]
        self._specialties = {
            form: found for spelled, found in zip(terms["forms"], terms["specialties"], strict=True) for form in spelled
        }

    def extract(self, text: str) -> list[Mention]:
        """See `Backend.extract`. An entity's best concept of a clinical semantic type decides."""
        return list(self._mentions(self._pipeline(text)))

    def _mentions(self, document: Any) -> Iterator[Mention]:
        for entity in document.ents:
            for concept, _ in entity._.kb_ents:
                linked = self._knowledge.cui_to_entity[concept]
                kind = next((SEMANTIC_TYPES[t] for t in linked.types if t in SEMANTIC_TYPES), None)
                if kind is None:
                    continue
                found = self._of(linked)
                scope = "strict" if 0 < len(found) <= self._max else "none"
                yield Mention(entity.start_char, entity.end_char, entity.text, (f"UMLS:{concept}",), found, kind, scope)
                break

    def _of(self, linked: Any) -> tuple[str, ...]:
        """Specialties that the lexicon gives the concept's preferred name or, where it lacks that, its other names."""
        for names in ([linked.canonical_name], linked.aliases):
            found = {s for name in names for s in self._specialties.get(fold(name), ())}
            if found:
                return tuple(sorted(found))
        return ()

    def versions(self) -> dict[str, str]:
        """The model's and scispacy's versions, and those of the lexicon that knows the specialties."""
        meta = self._pipeline.meta
        return {**self._lexicon_versions, meta["name"]: meta["version"], "spacy": meta["spacy_version"]}


def _pipeline(settings: SciSpacy) -> Any:
    try:
        # Importing scispacy's components registers them with spacy.
        for component in ("scispacy.abbreviation", "scispacy.linking"):
            import_module(component)
        pipeline = import_module("spacy").load(settings.model)
    except (ImportError, OSError) as error:
        raise InputError(_INSTALL.format(model=settings.model)) from error
    pipeline.add_pipe("abbreviation_detector")
    linker = {"resolve_abbreviations": True, "linker_name": "umls", "threshold": settings.threshold}
    pipeline.add_pipe("scispacy_linker", config=linker)
    return pipeline
