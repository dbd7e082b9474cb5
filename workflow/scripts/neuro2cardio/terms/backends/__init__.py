"""Ways to find clinical terms in a text, behind one interface."""

from typing import Protocol

import pandas as pd

from ...config.terms import Dictionary, Embedded, SciSpacy, Terms
from ..matching import Matcher, Mention
from .scispacy import SciSpacyBackend
from .snowstorm import SnowstormBackend


class Backend(Protocol):
    """Finds clinical terms in a text."""

    def extract(self, text: str) -> list[Mention]:
        """The terms of a text in reading order, none overlapping another, with offsets into it."""
        ...

    def versions(self) -> dict[str, str]:
        """Names and versions of everything that determines which terms are found."""
        ...


class LexiconBackend:
    """Terms of a lexicon table: the embedded one, or one made from a dictionary file."""

    def __init__(self, lexicon: pd.DataFrame, versions: dict[str, str]) -> None:
        self._matcher = Matcher(lexicon)
        self._versions = versions

    def extract(self, text: str) -> list[Mention]:
        """See `Backend.extract`. Texts without a specialty have scope ``none``: neither terms nor placebos."""
        return self._matcher.find(text)

    def versions(self) -> dict[str, str]:
        """The sources of the lexicon."""
        return self._versions


def backend(terms: Terms, lexicon: pd.DataFrame, versions: dict[str, str]) -> Backend:
    """The backend that the settings name. `lexicon` and its `versions` come from the rule `lexicon`.

    Raises `InputError` if the backend's software or server is missing.
    """
    chosen = terms.lexicon
    if isinstance(chosen, Embedded | Dictionary):
        return LexiconBackend(lexicon, versions)
    if isinstance(chosen, SciSpacy):
        print(
            "terms.lexicon.backend: scispacy is experimental; its authors never ran it, so check the mentions it finds"
        )
        return SciSpacyBackend(chosen, lexicon, versions, terms.max_specialties)
    return SnowstormBackend(chosen, terms.max_specialties)
