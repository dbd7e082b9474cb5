"""Terms of the Human Phenotype Ontology: names, synonyms, abbreviations and layperson terms."""

from collections.abc import Iterator, Mapping
import re

from ...core.ontologies import HPOTerm, hpo_ancestors, hpo_specialties
from .entries import Entry

_ROOT = "HP:0000118"
"""Phenotypic abnormality. Beside it stand modes of inheritance, frequencies and modifiers, which are not findings."""

_LOOSE_RANK = 10
_DISCARDED = frozenset({"obsolete_synonym", "HP:0034334"})
_ABNORMALITY_OF = re.compile(r"^(?:abnormal(?:ity)?(?: of)?|abnormal(?:ly)?|aplasia/hypoplasia)\b", re.IGNORECASE)


def entries(terms: Mapping[str, HPOTerm]) -> Iterator[Entry]:
    """What every live phenotype contributes to the lexicon; those without a specialty too: their words are not terms.

    Names and EXACT synonyms say what the concept is. BROAD, NARROW and RELATED synonyms are loose. Discarded synonyms
    and the ontology's own grouping phrases (``Abnormality of ...``) are left out: nobody writes them of a patient.
    """
    above = hpo_ancestors(terms)
    for concept, found in hpo_specialties(terms).items():
        term = terms[concept]
        if _ROOT not in above[concept]:
            continue
        names = {term.name: False}
        for synonym in term.synonyms:
            if synonym.type not in _DISCARDED:
                names.setdefault(synonym.text, synonym.scope != "EXACT")
        for name, loose in names.items():
            if not _ABNORMALITY_OF.match(name):
                rank = (name != term.name) + _LOOSE_RANK * loose
                yield Entry(name, found, "finding", concept, "hpo", rank=rank, loose=loose)
