"""What makes two questions the same: normalised text, and ids made from it."""

from collections.abc import Iterable
import unicodedata

from ..core import provenance
from .sources import RawQuestion


def normalise(text: str) -> str:
    """Text as it counts for identity: Unicode NFKC, case folded, white space collapsed. Idempotent."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.casefold()).casefold())
    return " ".join(folded.split())


def question_id(stem: str, options: Iterable[str]) -> str:
    """First 16 hex of the sha256 over the normalised stem and the sorted normalised options."""
    return provenance.text_digest(normalise(stem), *sorted(map(normalise, options)))


def identify(raw: RawQuestion) -> str:
    """The id that a row's question has in every table: the source's own, or else one made from its text."""
    return raw.own_id or question_id(raw.stem, raw.options)


def appearance(text: str) -> str:
    """Text as people see it: `AA`, `Aa` and `aa` differ, and so do `10³` and `103`."""
    return " ".join(tidy(text).split())


def tidy(text: str) -> str:
    """Text as it is kept: as written, in one Unicode form (NFC), without white space around it."""
    return unicodedata.normalize("NFC", text).strip()


def is_unicode(text: str) -> bool:
    """Whether text can be written at all; JSON can hold halves of characters."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
