"""Find the terms of a lexicon in a text, with character offsets."""

from collections.abc import Iterator
from dataclasses import dataclass

import ahocorasick
import pandas as pd

from .lexicon.entries import PART
from .lexicon.spelling import fold


@dataclass(frozen=True, slots=True)
class Mention:
    """A clinical term in a text: ``text == whole[start:end]``.

    ``scope`` is as in the mentions table, or ``none`` for a clinical text that is not a term.
    """

    start: int
    end: int
    text: str
    concept_ids: tuple[str, ...]
    specialties: tuple[str, ...]
    kind: str
    scope: str


class Matcher:
    """All terms of a lexicon as two automata, one of them for abbreviations, whose case counts."""

    def __init__(self, lexicon: pd.DataFrame) -> None:
        self._rows = list(lexicon.itertuples(index=False))
        self._automata = [(case, self._automaton(case)) for case in (True, False)]

    def _automaton(self, case: bool) -> ahocorasick.Automaton:
        automaton = ahocorasick.Automaton()
        for own in (True, False):
            for index, row in enumerate(self._rows):
                if row.case_sensitive == case:
                    for form in row.forms[:1] if own else row.forms[1:]:
                        if form not in automaton:
                            automaton.add_word(form, (index, len(form)))
        automaton.make_automaton()
        return automaton

    def find(self, text: str) -> list[Mention]:
        """The terms of a text in reading order, none overlapping another.

        A term begins and ends at word boundaries, and of two that overlap the longer is taken. Broad terms come after
        strict ones, so that the strict mentions are the same whether or not broad ones are looked for, and words that
        are only parts of terms come last. A line break is never inside a term, nor is punctuation that the term itself
        does not have.
        """
        taken = bytearray(len(text))
        found = []
        for start, end, index in sorted(self._candidates(text), key=self._precedence):
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append(self._mention(text, start, end, index))
        return sorted(found, key=lambda mention: mention.start)

    def _candidates(self, text: str) -> Iterator[tuple[int, int, int]]:
        for case, automaton in self._automata:
            folded = fold(text, case=case)
            if len(automaton):
                for last, (index, length) in automaton.iter(folded):
                    start, end = last + 1 - length, last + 1
                    if _is_boundary(folded, start) and _is_boundary(folded, end):
                        yield start, end, index

    def _precedence(self, candidate: tuple[int, int, int]) -> tuple[bool, bool, int, int, int]:
        start, end, index = candidate
        row = self._rows[index]
        return row.kind == PART, row.scope == "broad", start - end, start, index

    def _mention(self, text: str, start: int, end: int, index: int) -> Mention:
        row = self._rows[index]
        return Mention(start, end, text[start:end], tuple(row.concept_ids), tuple(row.specialties), row.kind, row.scope)


def _is_boundary(text: str, position: int) -> bool:
    """Whether a word may begin or end here: not between two letters or digits."""
    return not (0 < position < len(text) and text[position - 1].isalnum() and text[position].isalnum())
