"""Spellings of a term: folded (no accents, one kind of hyphen), plural, British, eponyms."""

from collections.abc import Iterator
from functools import cache, partial
import re
import unicodedata

_TO_BRITISH = (
    (r"(?<=[a-z])emi(?=[ac])", "aemi"),
    (r"\bhem(?=a|o)", "haem"),
    (r"edema", "oedema"),
    (r"esophag", "oesophag"),
    (r"rrhea", "rrhoea"),
    (r"pnea", "pnoea"),
    (r"\bfet(?=al|us)", "foet"),
    (r"tumor", "tumour"),
    (r"pediatr", "paediatr"),
    (r"gynec", "gynaec"),
    (r"orthoped", "orthopaed"),
    (r"\bcec(?=al|um)", "caec"),
    (r"\bestr(?=ogen|adiol)", "oestr"),
    (r"celiac", "coeliac"),
    (r"behavior", "behaviour"),
    (r"color", "colour"),
    (r"anesthe", "anaesthe"),
)
_TO_AMERICAN = (
    (r"aemi(?=[ac])", "emi"),
    (r"haem", "hem"),
    (r"oedema", "edema"),
    (r"oesophag", "esophag"),
    (r"rrhoea", "rrhea"),
    (r"pnoea", "pnea"),
    (r"foet(?=al|us)", "fet"),
    (r"tumour", "tumor"),
    (r"paediatr", "pediatr"),
    (r"gynaec", "gynec"),
    (r"behaviour", "behavior"),
    (r"colour", "color"),
)
_ANY_AMERICAN, _ANY_BRITISH = (
    re.compile("|".join(f"({pattern})" for pattern, _ in rules)) for rules in (_TO_BRITISH, _TO_AMERICAN)
)
_IRREGULAR = {"bacterium": "bacteria", "diverticulum": "diverticula", "vertebra": "vertebrae", "fungus": "fungi"}
_SAME_LENGTH = {ord(quote): "'" for quote in "’‘ʼ`´"} | {ord(joint): " " for joint in "-‐‑‒–−\u00a0"}
"""Em dashes and tabs separate words, so they are kept."""


@cache
def _base(letter: str) -> str:
    """The letter without its accent if that leaves one letter, so that offsets stay the same."""
    base = unicodedata.normalize("NFD", letter)[0]
    return base if unicodedata.category(letter)[0] == "L" and base.isascii() else letter


@cache
def _lower(letter: str) -> str:
    return letter.lower() if len(letter.lower()) == 1 else letter


def fold(text: str, *, case: bool = False) -> str:
    """A text in the form that is compared: without accents, hyphens as spaces, in lower case unless `case` counts.

    It has the same length as `text`, so that offsets are the same in both.
    """
    plain = text.translate(_SAME_LENGTH)
    if not plain.isascii():
        plain = "".join(map(_base, plain))
        return plain if case else "".join(map(_lower, plain))
    return plain if case else plain.lower()


def is_abbreviation(text: str) -> bool:
    """Whether case is what makes a text a term: ``AIDS``, ``COPD``, ``HbA1c``, but neither ``Asthma`` nor ``von``."""
    return " " not in text and sum(letter.isupper() for letter in text) >= 2 and not text.isdigit()


def forms(folded: str, *, case: bool = False) -> list[str]:
    """All spellings of a folded term that are matched, the term itself first."""
    if case:
        return [folded, f"{folded}s"]
    singular = [folded, *_without_possessive(folded)]
    spelled = [s for form in singular for s in (form, *_other_spellings(form))]
    return list(dict.fromkeys(s for form in spelled for s in (form, *_other_number(form))))


def _other_spellings(text: str) -> Iterator[str]:
    for pattern, rules in ((_ANY_AMERICAN, _TO_BRITISH), (_ANY_BRITISH, _TO_AMERICAN)):
        if pattern.search(text):
            yield pattern.sub(partial(_replacement, rules), text)


def _replacement(rules: tuple[tuple[str, str], ...], match: re.Match[str]) -> str:
    # `lastindex` says which of the alternatives, one group each, has matched.
    return rules[(match.lastindex or 1) - 1][1]


def _without_possessive(text: str) -> Iterator[str]:
    """``crohn's disease`` is also written ``crohn disease``."""
    if "'s " in text:
        yield text.replace("'s ", " ")


def _other_number(text: str) -> Iterator[str]:
    """The plural of a singular and the singular of a plural, by the last word; none of a word that has no number."""
    last = text.rpartition(" ")[2]
    stem = text[: len(text) - len(last)]
    if len(last) < 4 or not last.isalpha():
        return
    if last in _IRREGULAR:
        yield stem + _IRREGULAR[last]
    elif last.endswith("sis"):
        yield f"{text[:-2]}es"
    elif last.endswith(("ss", "us", "is", "x")):
        yield f"{text}es"
    elif last.endswith("ies"):
        yield f"{text[:-3]}y"
    elif last.endswith("s"):
        yield text[:-1]
    elif last.endswith("y") and last[-2] not in "aeou":
        yield f"{text[:-1]}ies"
    else:
        yield text + ("es" if last.endswith(("ch", "sh")) else "s")
