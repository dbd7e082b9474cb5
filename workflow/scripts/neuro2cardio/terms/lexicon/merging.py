"""Merge the entries of all sources into one lexicon."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import reduce
import re
from typing import Any

import pandas as pd
from wordfreq import zipf_frequency

from .entries import LEXICON, PART, Entry
from .spelling import fold, forms, is_abbreviation

_MIN_LETTERS = 3
_MAX_WORDS = 6
_COMMON = 4.0
"""Zipf frequency (log10 of occurrences in a billion words) from which a word is common: pulse, fever, heart."""
_VERY_COMMON = 5.0
"""Zipf frequency from which even the name of a condition counts as everyday language."""
_CONDITIONS = frozenset({"disorder", "injury", "organism", "state"})
_HEADED_TERMS, _HEADED_SHARE = 10, 0.5
"""A word that heads so many terms, of which no specialty has this share, is general: effusion, polyp, wound."""
_PART_OF_TERMS = 5
"""A word of so many terms is clinical where it stands alone, too, unless very common: renal, bilateral, painful."""
_ADJECTIVE = re.compile(r"[a-z]+(?:al|ic|ous|ary|ive|ed|ar|(?<!m)ent|ant|ile|ory|able|ible|less)$")
_CURATED = frozenset({"dictionary", "supplement"})
"""Sources whose texts were chosen as terms, one by one. The ontologies' have to earn it by the rules above."""

_Key = tuple[str, bool]


def build(entries: Iterable[Entry], *, max_specialties: int) -> pd.DataFrame:
    """The lexicon (`LEXICON`) from all sources' entries, one row a text, sorted by it.

    The supplement decides alone where it speaks. Else each source speaks by its entries of lowest rank; two sources
    that share specialties mean what they share, others the union. Chapters of circumstance speak of what no other
    entry names. A text with more than `max_specialties`, or none, is not a term (scope ``none``).
    """
    groups: dict[_Key, list[Entry]] = defaultdict(list)
    for entry in entries:
        if (key := _key(entry)) is not None:
            groups[key].append(entry)
    rows = [_row(key, groups[key], max_specialties) for key in sorted(groups)]
    rows = [row for row in rows if not _is_everyday(row)]
    _limit_scope(rows)
    taken = {(row["term"], row["case_sensitive"]) for row in rows}
    for row in rows:
        spelled = forms(row["term"], case=row["case_sensitive"])
        # Another term's own text is that term's, however this one is spelled.
        row["forms"] = [spelled[0], *(s for s in spelled[1:] if (s, row["case_sensitive"]) not in taken)]
    return pd.DataFrame(rows + _parts_of_terms(rows), columns=LEXICON.names)


def _key(entry: Entry) -> _Key | None:
    """The form by which a text is found: folded, or in its own case for abbreviations. None if it can't be a term."""
    text = " ".join(entry.text.split())
    case = is_abbreviation(text)
    folded = fold(text, case=case).strip()
    if sum(letter.isalpha() for letter in folded) < _MIN_LETTERS or len(folded.split()) > _MAX_WORDS:
        return None
    if entry.source not in _CURATED and not _is_term_like(folded, loose=entry.loose):
        return None
    return folded, case


def _is_term_like(folded: str, *, loose: bool) -> bool:
    """Whether an ontology's text may be a term: no list, no bare adjective; a text cut short ends with a noun."""
    adjectives = folded.rpartition(" ")[2] if loose else folded
    return not re.search(r"[,;:/()\[\]]", folded) and not _ADJECTIVE.fullmatch(adjectives)


def _row(key: _Key, group: list[Entry], max_specialties: int) -> dict[str, Any]:
    deciding = _deciding(group)
    found = _agreed(deciding)
    reason = "no specialty" if not found else "too many specialties" if len(found) > max_specialties else ""
    best = min(deciding, key=lambda e: (e.kind == "finding", e.rank))
    if not reason and all(entry.loose for entry in deciding):
        reason = "wider than its concept"
    return {
        "term": key[0],
        "case_sensitive": key[1],
        "concept_ids": sorted({entry.concept for entry in deciding}),
        "specialties": sorted(found),
        "kind": best.kind,
        "scope": "none" if len(found) > max_specialties or not found else "broad" if reason else "strict",
        "reason": reason,
        "sources": sorted({entry.source for entry in deciding}),
    }


def _deciding(group: list[Entry]) -> list[Entry]:
    """The entries whose word counts: the supplement's, else each source's of lowest rank, exact before loose."""
    if own := [entry for entry in group if entry.source == "supplement"]:
        return own
    primary = [entry for entry in group if not entry.secondary] or group
    exact = [entry for entry in primary if not entry.loose] or primary
    ranks = {source: min(e.rank for e in exact if e.source == source) for source in {e.source for e in exact}}
    return [entry for entry in exact if entry.rank == ranks[entry.source]]


def _agreed(deciding: list[Entry]) -> frozenset[str]:
    """The specialties that the sources share; if there are none, all of them."""
    says: dict[str, frozenset[str]] = defaultdict(frozenset)
    for entry in deciding:
        says[entry.source] |= frozenset(entry.specialties)
    voices = [found for found in says.values() if found]
    shared = reduce(frozenset.intersection, voices) if voices else frozenset()
    return shared or frozenset().union(*voices)


def _parts_of_terms(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Words that are not terms but part of many: rows of scope ``none``, which keep them from becoming placebos."""
    terms = [row["term"].split(" ") for row in rows if row["scope"] != "none" and not row["case_sensitive"]]
    count = Counter(word for words in terms for word in set(words))
    known = {form for row in rows for form in row["forms"]}
    blank = {"case_sensitive": False, "concept_ids": [], "specialties": [], "sources": []}
    return [
        {"term": word, "forms": [word], **blank, "kind": PART, "scope": "none", "reason": "part of terms"}
        for word in sorted(count)
        if count[word] >= _PART_OF_TERMS and word not in known and zipf_frequency(word, "en") < _VERY_COMMON
    ]


def _limit_scope(rows: list[dict[str, Any]]) -> None:
    """Restrict over-general words to the broad lexicon, by rule; the user's own dictionary is not changed."""
    headed = _specialties_of_headed_terms(rows)
    for row in rows:
        if row["scope"] == "strict" and " " not in row["term"] and "dictionary" not in row["sources"]:
            row["reason"] = _generality(row, headed.get(row["term"], []))
            row["scope"] = "broad" if row["reason"] else "strict"


def _specialties_of_headed_terms(rows: list[dict[str, Any]]) -> dict[str, list[frozenset[str]]]:
    """For each word, the specialties of every term that ends with it: ``urinary tract infection`` for ``infection``."""
    headed: dict[str, list[frozenset[str]]] = defaultdict(list)
    for row in rows:
        before, _, head = row["term"].rpartition(" ")
        if before and row["specialties"]:
            headed[head].append(frozenset(row["specialties"]))
    return headed


def _generality(row: Mapping[str, Any], headed: list[frozenset[str]]) -> str:
    """The rule by which a single word is over-general, or nothing."""
    common = _VERY_COMMON if row["kind"] in _CONDITIONS else _COMMON
    words = forms(row["term"], case=row["case_sensitive"])
    if not row["case_sensitive"] and max(zipf_frequency(word, "en") for word in words) >= common:
        return "common word"
    most = max(Counter(s for found in headed for s in found).values(), default=0)
    if len(headed) >= _HEADED_TERMS and most < _HEADED_SHARE * len(headed):
        return "heads terms of many specialties"
    return ""


def _is_everyday(row: Mapping[str, Any]) -> bool:
    """Whether a row is a common word that an ontology names without a specialty, or that was cut out of its phrases."""
    named = row["scope"] == "strict" or not _CURATED.isdisjoint(row["sources"])
    return not named and zipf_frequency(row["term"], "en") >= _COMMON
