"""Questions made from the Human Phenotype Ontology: a term's definition asks for its name among related terms."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
import re
from typing import NamedTuple

from ...core import ontologies, provenance
from ...core.ontologies import HPOTerm
from . import RawQuestion

WORDING = "{definition} What is this finding called?"
REVERSED_WORDING = 'What does the finding "{name}" mean?'
REVERSED, SYNONYM, OTHER_DISTRACTORS = "reversed", "synonym", "other-distractors"
FORMS = (REVERSED, SYNONYM, OTHER_DISTRACTORS)
"""How a fact is asked another way than in training: term -> definition, by a synonym, among other terms."""
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


class Probe(NamedTuple):
    """A fact asked in another form than in training. The order of its options is a hash's."""

    form: str
    stem: str
    options: tuple[str, ...]
    answer: str


def probes(path: Path | str, facts: Iterable[str]) -> dict[str, list[Probe]]:
    """Ask facts in all of `FORMS`: by id of the term, those of the facts that can be asked in each.

    - `reversed`: the name asks for the definition, among definitions of related terms;
    - `synonym`: the definition asks for an exact synonym, the one with the fewest words of the name, among the names
      that stand beside the answer in `rows`;
    - `other-distractors`: the definition asks for the name among related terms that do not stand beside it in `rows`.

    Args:
        path: The ontology, an OBO file.
        facts: Ids of terms that `rows` asks for.
    """
    terms = ontologies.read_hpo(path)
    family = _Family(terms)
    made = {fact: list(_probes(terms[fact], family)) for fact in facts if fact in terms}
    return {fact: asked for fact, asked in made.items() if len(asked) == len(FORMS)}


def _probes(term: HPOTerm, family: "_Family") -> Iterator[Probe]:
    """The forms in which a term can be asked, in their order."""
    names = _names(term)
    relatives = list(family.relatives(term))
    usual, others = relatives[:DISTRACTORS], relatives[DISTRACTORS : 2 * DISTRACTORS]
    stem = WORDING.format(definition=_sentence(term.definition))
    defined = [r for r in relatives if _asks(r) and not _says(r.definition, names)][:DISTRACTORS]
    if len(defined) == DISTRACTORS:
        wording = REVERSED_WORDING.format(name=term.name)
        yield _probe(REVERSED, wording, _sentence(term.definition), [_sentence(r.definition) for r in defined], term.id)
    if (synonym := _synonym(term)) and len(usual) == DISTRACTORS:
        yield _probe(SYNONYM, stem, synonym, [r.name for r in usual], term.id)
    if len(others) == DISTRACTORS:
        yield _probe(OTHER_DISTRACTORS, stem, term.name, [r.name for r in others], term.id)


def _probe(form: str, stem: str, answer: str, distractors: list[str], key: str) -> Probe:
    return Probe(form, stem, tuple(_shuffled([answer, *distractors], f"{key} {form}")), answer)


def _synonym(term: HPOTerm) -> str | None:
    """The exact synonym that has the fewest words of the name; None where each has all of them, or is short for it."""
    name = set(_words(term.name).split())
    fit = [s.text for s in term.synonyms if s.scope == "EXACT" and s.type != "abbreviation"]
    shared = {text: len(name & (own := set(_words(text).split()))) / max(len(name | own), 1) for text in fit}
    apart = [text for text in _shuffled(shared, term.id) if shared[text] < 1]
    return min(apart, key=shared.__getitem__, default=None)


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
        """Names of the first related terms."""
        return [relative.name for relative in islice(self.relatives(term), DISTRACTORS)]

    def relatives(self, term: HPOTerm) -> Iterator[HPOTerm]:
        """Related terms, siblings first, without ancestors and descendants of the term and of those before.

        Terms that share a name with one of them are left out, too.
        """
        chosen = [term.id]
        taken = _names(term)
        for other in chain(self._siblings(term), self._cousins(term)):
            relative = self._terms[other]
            if not self._in_line(other, chosen) and not taken & _names(relative) and not _groups(relative):
                chosen.append(other)
                taken |= _names(relative)
                yield relative

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
    long_enough = len(_words(term.definition).split()) >= MIN_WORDS
    return not term.obsolete and not _groups(term) and long_enough and not _says(term.definition, _names(term))


def _says(definition: str, names: set[str]) -> bool:
    """Whether a definition contains one of the names, as words."""
    words = f" {_words(definition)} "
    return any(f" {name} " in words for name in names)


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
