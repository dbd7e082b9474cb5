"""SNOMED CT by a Snowstorm terminology server: exact matches, semantic tags, ancestors including the concept itself."""

from collections.abc import Iterator
from functools import cache
import json
import re
from typing import Any
from urllib.error import URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from wordfreq import zipf_frequency

from ...config.terms import Snowstorm
from ...core.errors import InputError
from ...core.ontologies import MAPPINGS, read_branches
from ..matching import Mention

SEMANTIC_TAGS: dict[str, str] = {
    "disorder": "disorder",
    "finding": "finding",
    "morphologic abnormality": "finding",
    "body structure": "anatomy",
    "procedure": "procedure",
    "regime/therapy": "procedure",
    "observable entity": "test",
    "organism": "organism",
    "substance": "drug",
    "product": "drug",
    "medicinal product": "drug",
}
"""Semantic tags that are clinical terms, and the kind each is."""

_TAG = re.compile(r"\(([^()]+)\)$")
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_MAX_WORDS = 5
_FUNCTION_WORD = 5.7
"""Zipf frequency from which a word neither begins nor ends a candidate: of, the, with, patient's."""


class SnowstormBackend:
    """Runs of words that a SNOMED CT description equals; specialties by the concept's mapped ancestors."""

    def __init__(self, settings: Snowstorm, max_specialties: int, *, timeout: float = 30.0) -> None:
        self._settings = settings
        self._max = max_specialties
        self._timeout = timeout
        self._branches = read_branches(MAPPINGS / "snomed_branch_to_specialty.tsv")
        self._concept = cache(self._look_up)

    def extract(self, text: str) -> list[Mention]:
        """See `Backend.extract`.

        The server is asked for every run of up to five words once; of overlapping matches the longest is taken.

        Raises:
            InputError: The server can't be reached, or answers with an error.
        """
        taken = bytearray(len(text))
        found = []
        for start, end in sorted(_candidates(text), key=lambda span: (span[0] - span[1], span[0])):
            if not any(taken[start:end]) and (concept := self._concept(text[start:end].casefold())) is not None:
                taken[start:end] = b"\1" * (end - start)
                found.append(self._mention(text, start, end, *concept))
        return sorted(found, key=lambda mention: mention.start)

    def versions(self) -> dict[str, str]:
        """The server's software version and the branch of SNOMED CT asked."""
        return {"snowstorm": self._get("version")["version"], "snomed-ct": self._settings.branch}

    def _mention(self, text: str, start: int, end: int, concept: str, kind: str) -> Mention:
        found = self._specialties(concept)
        scope = "strict" if 0 < len(found) <= self._max else "none"
        return Mention(start, end, text[start:end], (f"SCTID:{concept}",), found, kind, scope)

    def _look_up(self, candidate: str) -> tuple[str, str] | None:
        """Id and kind of the first concept that has a description equal to the candidate, whatever its case."""
        query = {"term": candidate, "active": "true", "conceptActive": "true", "searchMode": "WHOLE_WORD", "limit": 50}
        for item in self._get(f"browser/{quote(self._settings.branch)}/descriptions", query)["items"]:
            tag = _TAG.search(item["concept"]["fsn"]["term"])
            if item["term"].casefold() == candidate and tag and tag[1] in SEMANTIC_TAGS:
                return item["concept"]["conceptId"], SEMANTIC_TAGS[tag[1]]
        return None

    def _specialties(self, concept: str) -> tuple[str, ...]:
        path = f"browser/{quote(self._settings.branch)}/concepts/{concept}/ancestors"
        above = {item["conceptId"] for item in self._get(path, {"form": "inferred"})} | {concept}
        return tuple(sorted({s for branch, found in self._branches.items() if branch in above for s in found}))

    def _get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        url = f"{self._settings.url.rstrip('/')}/{path}" + (f"?{urlencode(query)}" if query else "")
        request = Request(url, headers={"Accept": "application/json", "Accept-Language": "en"})
        try:
            with urlopen(request, timeout=self._timeout) as response:
                return json.load(response)
        except (URLError, TimeoutError, json.JSONDecodeError) as error:
            raise InputError(
                f"terms.lexicon.url: the Snowstorm server did not answer {url} ({error}); is it running and in reach?"
            ) from error


def _candidates(text: str) -> Iterator[tuple[int, int]]:
    """Runs of up to five words, single spaces or hyphens between them, that no function word begins or ends."""
    words = [match.span() for match in _WORD.finditer(text)]
    for first, (start, _) in enumerate(words):
        for last in range(first, min(first + _MAX_WORDS, len(words))):
            if last > first and text[words[last - 1][1] : words[last][0]] not in (" ", "-"):
                break
            ends = (text[slice(*words[first])], text[slice(*words[last])])
            if all(zipf_frequency(word, "en") < _FUNCTION_WORD for word in ends):
                yield start, words[last][1]
