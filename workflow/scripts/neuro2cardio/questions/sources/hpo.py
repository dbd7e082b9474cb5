"""Questions made from the Human Phenotype Ontology: a term's definition asks for its name among related terms."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
import re

from ...core import ontologies, provenance
from ...core.ontologies import HPOTerm
from . import RawQuestion

WORDING = "{definition} What is this finding called?"
DISTRACTORS = 3
MIN_WORDS = 4
"""Minimum length of a definition: shorter ones only rephrase the term."""
MAX_SPECIALTIES = 3
"""Terms of more specialties are left out, as in the paper."""

_GROUPS_OTHERS = re.compile(r"abnormal(ity)?\b", re.IGNORECASE)
_PUBLISHED_AS = re.compile(r"\s*\[?PMID:\s*\d+\]?")


def rows(path: Path | str, split: str) -> Iterator[RawQuestion]:
    """One question for each term that has a definition, one to three specialties, and enough related terms.

    The distractors are siblings, and cousins where there are too few. Left out are definitions that say the term's own
    name or an exact synonym, and terms that only group others ("Abnormality of ..."), as answer and as distractor. No
    specialty of a term comes before the others, so a hash picks the primary one. The order of options is a hash's,
    too: the same ontology gives the same questions.
    """
    terms = ontologies.read_hpo(path)
    specialties = ontologies.hpo_specialties(terms)
    family = _Family(terms)
    for term in terms.values():
        own = specialties.get(term.id, ())
        if not 0 < len(own) <= MAX_SPECIALTIES or not _asks(term):
            continue
        distractors = family.distractors(term)
        if len(distractors) == DISTRACTORS:
            yield RawQuestion(
                row=term.id,
                split=split,
                stem=WORDING.format(definition=_sentence(term.definition)),
                options=tuple(_shuffled([term.name, *distractors], term.id)),
                answer=term.name,
                specialties=tuple(_shuffled(own, term.id)),
            )


class _Family:
    """Relations among the terms that are not obsolete."""

    def __init__(self, terms: Mapping[str, HPOTerm]) -> None:
        self._terms = terms
        self._ancestors = ontologies.hpo_ancestors(terms)
        self._children: dict[str, list[str]] = {}
        for term in terms.values():
            for parent in term.parents:
                self._children.setdefault(parent, []).append(term.id)

    def distractors(self, term: HPOTerm) -> list[str]:
        """Names of related terms, siblings first, without ancestors, descendants and terms that share a name."""
        chosen: dict[str, str] = {}
        taken = _names(term)
        for other in chain(self._siblings(term), self._cousins(term)):
            relative = self._terms[other]
            if not self._in_line(other, [term.id, *chosen]) and not taken & _names(relative) and not _groups(relative):
                chosen[other] = relative.name
                taken |= _names(relative)
            if len(chosen) == DISTRACTORS:
                break
        return list(chosen.values())

    def _siblings(self, term: HPOTerm) -> list[str]:
        return _shuffled({c for parent in term.parents for c in self._children[parent]}, term.id)

    def _cousins(self, term: HPOTerm) -> list[str]:
        above = {g for parent in term.parents for g in self._terms[parent].parents}
        uncles = {u for g in above for u in self._children[g]}
        return _shuffled({c for uncle in uncles for c in self._children.get(uncle, ())}, term.id)

    def _in_line(self, one: str, others: Iterable[str]) -> bool:
        """Whether a term is one of the others, or an ancestor or descendant of one."""
        return any(one == o or one in self._ancestors[o] or o in self._ancestors[one] for o in others)


def _groups(term: HPOTerm) -> bool:
    return _GROUPS_OTHERS.match(term.name) is not None


def _asks(term: HPOTerm) -> bool:
    """Whether the term is a specific finding, with a definition that is long enough and does not contain the name."""
    definition = _words(term.definition)
    named = any(f" {name} " in f" {definition} " for name in _names(term))
    return not term.obsolete and not _groups(term) and len(definition.split()) >= MIN_WORDS and not named


def _names(term: HPOTerm) -> set[str]:
    """The term's name and exact synonyms, as words, in singular and plural."""
    names = {_words(term.name), *(_words(s.text) for s in term.synonyms if s.scope == "EXACT")} - {""}
    return names | {f"{name}s" for name in names} | {name.removesuffix("s") for name in names}


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _sentence(definition: str) -> str:
    text = _PUBLISHED_AS.sub("", definition).strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _shuffled(values: Iterable[str], key: str) -> list[str]:
    """Shuffle values by a hash with a key; the result does not depend on their input order."""
    return sorted(values, key=lambda value: provenance.text_digest(key, value))
