"""Placebo mentions: words of the same question that are no term, each matched to a term beside which it stands."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
import math
import re

import numpy as np
from wordfreq import zipf_frequency

from .matching import Mention

RANKS = 3
"""Candidates a term: which of them has the term's number of tokens depends on the model, and is chosen there."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_GAPS = frozenset({" ", "-"})
_EVERYDAY = 3.0
"""Zipf frequency from which a word is everyday English. Rarer words of clinical texts are mostly jargon."""
_SCALES = np.array([2.0, 0.5, 0.25])
"""What counts as one step apart: letters, log10 of document frequency, share of the stem's length."""


@dataclass(frozen=True, slots=True)
class Placebo:
    """Words that are no term: the candidate of a rank (0 is the best) for the mention of index `term`."""

    start: int
    end: int
    term: int
    rank: int


@dataclass(frozen=True, slots=True)
class _Pool:
    """All runs of so many free words in one stem: spans (n x 2) and their features (n x 3)."""

    spans: np.ndarray
    features: np.ndarray


def document_frequency(stems: Iterable[str]) -> Counter[str]:
    """In how many of the stems each word stands, in lower case."""
    return Counter(word for stem in stems for word in {w[0].lower() for w in _WORD.finditer(stem)})


def match(stem: str, mentions: Sequence[Mention], frequency: Counter[str]) -> list[Placebo]:
    """Up to `RANKS` placebos for each strict mention of a stem; no two of them, and none and a mention, overlap.

    Words are candidates where no mention covers them, broad ones and clinical texts of no specialty included, and
    where they are everyday English. Each term gets the run of as many words (or, where none is left, of the nearest
    number) that is nearest in length, document frequency and place. Best candidates are given out to all terms
    before second ones are; of terms, those of most words choose first, since they have the least choice.
    """
    pools = _pools(stem, mentions, frequency)
    terms = [i for i, mention in enumerate(mentions) if mention.scope == "strict"]
    wanted = {i: _features(stem, mentions[i].start, mentions[i].end, frequency) for i in terms}
    words = {i: len(re.split(r"[ -]+", mentions[i].text)) for i in terms}
    free = np.ones(len(stem) + 1, dtype=bool)
    found = []
    for rank in range(RANKS):
        for i in sorted(terms, key=lambda i: (-words[i], i)):
            span = _nearest(pools, words[i], wanted[i], free)
            if span is not None:
                free[slice(*span)] = False
                found.append(Placebo(*span, term=i, rank=rank))
    return found


def _nearest(pools: dict[int, _Pool], words: int, wanted: np.ndarray, free: np.ndarray) -> tuple[int, int] | None:
    """The nearest run that is still free, of the nearest number of words of which there is one."""
    for count in sorted(pools, key=lambda n: (abs(n - words), n)):
        pool = pools[count]
        taken = np.concatenate([[0], np.cumsum(~free)])
        open_ = taken[pool.spans[:, 1]] == taken[pool.spans[:, 0]]
        if open_.any():
            distance = (np.abs(pool.features - wanted) / _SCALES).sum(axis=1)
            start, end = pool.spans[np.where(open_, distance, np.inf).argmin()]
            return int(start), int(end)
    return None


def _pools(stem: str, mentions: Sequence[Mention], frequency: Counter[str]) -> dict[int, _Pool]:
    """Runs of free words by their number of words, up to the longest term's."""
    longest = max((len(re.split(r"[ -]+", m.text)) for m in mentions if m.scope == "strict"), default=0)
    spans: dict[int, list[tuple[int, int]]] = {count: [] for count in range(1, longest + 1)}
    for run in _runs(stem, mentions):
        for count in spans:
            spans[count] += [(run[i][0], run[i + count - 1][1]) for i in range(len(run) - count + 1)]
    return {
        count: _Pool(np.array(found), np.array([_features(stem, *span, frequency) for span in found]))
        for count, found in spans.items()
        if found
    }


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


def _features(stem: str, start: int, end: int, frequency: Counter[str]) -> np.ndarray:
    """Length in characters, mean log10 (1 + document frequency) of its words, place of its middle in the stem."""
    words = [w[0].lower() for w in _WORD.finditer(stem, start, end)]
    common = sum(math.log10(1 + frequency[word]) for word in words) / max(len(words), 1)
    return np.array([end - start, common, (start + end) / 2 / len(stem)])
