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
    """All runs of so many free words in one stem: first and last characters, features (n x 3), which are untaken."""

    starts: np.ndarray
    ends: np.ndarray
    features: np.ndarray
    untaken: np.ndarray


def document_frequency(stems: Iterable[str]) -> Counter[str]:
    """In how many of the stems each word stands, in lower case."""
    return Counter(word for stem in stems for word in {w[0].lower() for w in _WORD.finditer(stem)})


def commonness(text: str, frequency: Counter[str]) -> float:
    """Mean of log10 (1 + document frequency) over the words of a text; 0 where it has none."""
    words = _WORD.findall(text.lower())
    return sum(math.log10(1 + frequency[word]) for word in words) / max(len(words), 1)


def match(stem: str, mentions: Sequence[Mention], frequency: Counter[str]) -> list[Placebo]:
    """Up to `RANKS` placebos for each strict mention of a stem; no two of them, and none and a mention, overlap.

    Words are candidates where no mention covers them, broad ones and clinical texts of no specialty included, and
    where they are everyday English. Each term gets the run of as many words (or, where none is left, of the nearest
    number) that is nearest in length, document frequency and place. Best candidates are given out to all terms
    before second ones are; of terms, those of most words choose first, since they have the least choice.
    """
    terms = [i for i, mention in enumerate(mentions) if mention.scope == "strict"]
    words = {i: len(re.split(r"[ -]+", mentions[i].text)) for i in terms}
    wanted = {i: _features(stem, mentions[i], frequency) for i in terms}
    pools = _pools(stem, mentions, max(words.values(), default=0), frequency)
    first_choice = sorted(terms, key=lambda i: (-words[i], i))
    found = []
    for rank in range(RANKS):
        for i in first_choice:
            if (span := _take_nearest(pools, words[i], wanted[i])) is not None:
                found.append(Placebo(*span, term=i, rank=rank))
    return found


def _take_nearest(pools: dict[int, _Pool], words: int, wanted: np.ndarray) -> tuple[int, int] | None:
    """Take the nearest run that is untaken, of the nearest number of words of which there is one."""
    for count in sorted(pools, key=lambda n: (abs(n - words), n)):
        pool = pools[count]
        if pool.untaken.any():
            distance = np.abs(pool.features - wanted) @ (1 / _SCALES)
            best = np.where(pool.untaken, distance, np.inf).argmin()
            start, end = int(pool.starts[best]), int(pool.ends[best])
            for other in pools.values():
                other.untaken[(other.starts < end) & (other.ends > start)] = False
            return start, end
    return None


def _pools(stem: str, mentions: Sequence[Mention], longest: int, frequency: Counter[str]) -> dict[int, _Pool]:
    """Runs of free words by their number of words, up to the longest term's."""
    runs = list(_runs(stem, mentions))
    starts, ends = np.array([span for run in runs for span in run], dtype=int).reshape(-1, 2).T
    run_of = np.repeat(np.arange(len(runs)), [len(run) for run in runs])
    common = np.cumsum([0, *(commonness(stem[start:end], frequency) for run in runs for start, end in run)])
    pools = {}
    for count in range(1, min(longest, len(starts)) + 1):
        last = np.arange(count - 1, len(starts))
        last = last[run_of[last] == run_of[last - count + 1]]
        first = last - count + 1
        if len(last):
            mean = (common[last + 1] - common[first]) / count
            place = (starts[first] + ends[last]) / 2 / len(stem)
            features = np.stack([ends[last] - starts[first], mean, place], axis=1)
            pools[count] = _Pool(starts[first], ends[last], features, np.ones(len(last), dtype=bool))
    return pools


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


def _features(stem: str, mention: Mention, frequency: Counter[str]) -> np.ndarray:
    """Length in characters, commonness, place of its middle in the stem."""
    place = (mention.start + mention.end) / 2 / len(stem)
    return np.array([mention.end - mention.start, commonness(mention.text, frequency), place])
