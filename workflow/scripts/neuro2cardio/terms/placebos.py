"""Placebo mentions: words of the same question that are not terms, each matched to a term."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
import math
import re

import numpy as np
from numpy.typing import NDArray
from wordfreq import zipf_frequency

from .matching import Mention

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TOKENISED = re.compile(r"\w+")
_GAPS = frozenset({" ", "-"})
_EVERYDAY = 3.0
"""Zipf frequency from which a word is everyday English. Rarer words of clinical texts are mostly jargon."""
_LETTERS_PER_TOKEN = 4
"""Letters per token of a word that is not everyday English, in the vocabularies of language models."""
_SCALES = np.array([0.25, 0.5])
"""Differences that count as one step: log10 of document frequency, share of the stem's length."""


_REACH = 1000
"""Words on either side of a term among which its placebo is looked for. No question of an exam has as many."""


@dataclass(frozen=True, slots=True)
class Placebo:
    """Words that are not terms: one candidate for the mention with index `term`; rank 0 is the best."""

    start: int
    end: int
    term: int
    rank: int


def document_frequency(stems: Iterable[str]) -> Counter[str]:
    """The number of stems that each word is in, in lower case."""
    return Counter(word for stem in stems for word in {w[0].lower() for w in _WORD.finditer(stem)})


def commonness(text: str, frequency: Counter[str]) -> float:
    """Mean of log10 (1 + document frequency) over the words of a text; 0 if it has none."""
    words = _WORD.findall(text.lower())
    return sum(math.log10(1 + frequency[word]) for word in words) / max(len(words), 1)


def expected_tokens(text: str) -> int:
    """Approximate number of tokens in a text, for any model: an everyday word is one, others one for four letters."""
    words = _TOKENISED.findall(text.lower())
    return sum(1 if _is_everyday(word) else math.ceil(len(word) / _LETTERS_PER_TOKEN) for word in words)


def match(stem: str, mentions: Sequence[Mention], frequency: Counter[str]) -> list[Placebo]:
    """Up to three placebos for each strict mention of a stem; those of two terms share no word.

    Words are candidates where no mention covers them, broad ones and clinical texts of no specialty included, and
    where they are everyday English, which is one token a word. Each term gets the run of as many words as it has
    `expected_tokens` (or, where none is left, of the nearest number) that is nearest in document frequency and place;
    and beside it the same run a word longer and a word shorter, for how many tokens a term really has depends on the
    model, and the nearest is chosen there. Terms of most tokens choose first, since they have the least choice.
    """
    size = {i: expected_tokens(mention.text) for i, mention in enumerate(mentions) if mention.scope == "strict"}
    free = _FreeWords(stem, mentions, frequency)
    runs = {}
    for i in sorted(size, key=lambda i: (-size[i], i)):
        if (run := free.take_nearest(size[i], *_wanted(stem, mentions[i], frequency))) is not None:
            runs[i] = run
    found = []
    for i, run in runs.items():
        others = [free.take_longer(run), range(run.start, run.stop - 1)]
        candidates = [run, *(other for other in others if other)]
        found += [Placebo(*free.span(words), term=i, rank=rank) for rank, words in enumerate(candidates)]
    return found


class _FreeWords:
    """The words of one stem that may be placebos, by index in reading order, and which of them are taken."""

    def __init__(self, stem: str, mentions: Sequence[Mention], frequency: Counter[str]) -> None:
        runs = list(_runs(stem, mentions))
        self._spans = [span for run in runs for span in run]
        self._run_of = np.repeat(np.arange(len(runs)), [len(run) for run in runs])
        self._common = np.cumsum([0, *(commonness(stem[start:end], frequency) for start, end in self._spans)])
        self._middle = np.array([(start + end) / 2 / len(stem) for start, end in self._spans])
        self._taken = np.zeros(len(self._spans), dtype=bool)

    def span(self, words: range) -> tuple[int, int]:
        """First and last character of neighbouring words."""
        return self._spans[words.start][0], self._spans[words.stop - 1][1]

    def take_nearest(self, count: int, common: float, place: float) -> range | None:
        """Take the run nearest in commonness and place, of the nearest number of words of which there is one.

        In a stem of thousands of words, only those around the place are looked at, so that time grows with its length.
        """
        inside = self._around(place)
        for n in _nearest_first(count, len(inside)):
            first = self._untaken(n, inside)
            if len(first):
                mean = (self._common[first + n] - self._common[first]) / n
                middle = (self._middle[first] + self._middle[first + n - 1]) / 2
                apart = np.abs(np.stack([mean - common, middle - place], axis=1)) @ (1 / _SCALES)
                best = int(first[apart.argmin()])
                return self._take(range(best, best + n))
        return None

    def take_longer(self, run: range) -> range | None:
        """Take one word more, behind the run or else before it, where that word is untaken and of the same run."""
        for word, longer in (
            (run.stop, range(run.start, run.stop + 1)),
            (run.start - 1, range(run.start - 1, run.stop)),
        ):
            inside = 0 <= word < len(self._spans) and self._run_of[word] == self._run_of[run.start]
            if inside and not self._taken[word]:
                return self._take(longer)
        return None

    def _take(self, words: range) -> range:
        self._taken[words.start : words.stop] = True
        return words

    def _around(self, place: float) -> range:
        """The words that are looked at for a term at this place (a share of the stem's length)."""
        if len(self._spans) <= 2 * _REACH:
            return range(len(self._spans))
        middle = int(np.searchsorted(self._middle, place))
        start = min(max(middle - _REACH, 0), len(self._spans) - 2 * _REACH)
        return range(start, start + 2 * _REACH)

    def _untaken(self, n: int, inside: range) -> NDArray[np.int64]:
        """First words of all runs of n neighbouring untaken words within ``inside``."""
        first = np.arange(inside.start, inside.stop - n + 1)
        taken = np.concatenate([[0], np.cumsum(self._taken[inside.start : inside.stop])])
        free = taken[first + n - inside.start] == taken[first - inside.start]
        return first[(self._run_of[first] == self._run_of[first + n - 1]) & free]


def _nearest_first(count: int, most: int) -> Iterator[int]:
    """The numbers from 1 to ``most``, the nearest to ``count`` first and the smaller of two that are equally near."""
    for apart in range(max(count, most)):
        yield from (n for n in dict.fromkeys((count - apart, count + apart)) if 1 <= n <= most)


def _wanted(stem: str, mention: Mention, frequency: Counter[str]) -> tuple[float, float]:
    """Commonness of a term, and the place of its middle in the stem."""
    return commonness(mention.text, frequency), (mention.start + mention.end) / 2 / len(stem)


def _runs(stem: str, mentions: Sequence[Mention]) -> Iterator[list[tuple[int, int]]]:
    """Neighbouring free words, as spans; punctuation, numbers and mentions part one run from the next."""
    covered = bytearray(len(stem))
    for mention in mentions:
        covered[mention.start : mention.end] = b"\1" * (mention.end - mention.start)
    run: list[tuple[int, int]] = []
    for word in _WORD.finditer(stem):
        start, end = word.span()
        free = not any(covered[start:end]) and _is_everyday(word[0].lower()) and _stands_alone(stem, start, end)
        if run and (not free or stem[run[-1][1] : start] not in _GAPS):
            yield run
            run = []
        if free:
            run.append((start, end))
    if run:
        yield run


def _stands_alone(stem: str, start: int, end: int) -> bool:
    """Whether a run of letters is a whole word, and no part of ``37C``."""
    return not (stem[max(start - 1, 0) : start].isalnum() or stem[end : end + 1].isalnum())


@cache
def _is_everyday(word: str) -> bool:
    return zipf_frequency(word, "en") >= _EVERYDAY
