"""What makes two questions the same: normalised text, and ids made from it."""

from collections.abc import Iterable
import unicodedata

from ..core import provenance
from .sources import RawQuestion


def normalise(text: str) -> str:
    """Normalise text for comparison: Unicode NFKC, case folded, white space collapsed. Idempotent."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.casefold()).casefold())
    return " ".join(folded.split())


def question_id(stem: str, options: Iterable[str]) -> str:
    """First 16 hex digits of the sha256 over the normalised stem and the sorted normalised options."""
    return provenance.text_digest(normalise(stem), *sorted(map(normalise, options)))


def identify(raw: RawQuestion) -> str:
    """The id of a row's question in all tables: the source's own, or one made from its text."""
    return raw.own_id or question_id(raw.stem, raw.options)


def appearance(text: str) -> str:
    """Normalise what is invisible only: `AA`, `Aa` and `aa` differ, and so do `10³` and `103`."""
    return " ".join(tidy(text).split())


def tidy(text: str) -> str:
    """Text as it is stored: in one Unicode form (NFC), without white space around it."""
    return unicodedata.normalize("NFC", text).strip()


def is_unicode(text: str) -> bool:
    """Whether text can be encoded; JSON can contain lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
