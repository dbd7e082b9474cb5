"""Terms of ICD-10-CM: what the tabular list calls a condition, turned into what people write."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
import re
from xml.etree import ElementTree

from ...core.errors import InputError
from ...core.ontologies import MAPPINGS, read_branches
from .entries import Entry

_KINDS = {"R": "finding", "S": "injury", "T": "injury", "Z": "state"}
_SECONDARY = frozenset("OPSTZ")
"""Chapters of circumstance: pregnancy, newborns, injury, contacts. They repeat the conditions of other chapters, so
what they say of a text that stands elsewhere, and what is cut out of their phrases, does not count."""
_CAUSES = frozenset("VWXY")
"""External causes: who was hurt by what and where, no clinical terms."""

_ASIDE = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\])")
_BRACKETED = re.compile(r"\[([^\[\]]+)\]")
_FILLER = (
    r"(?:unspecified|other specified|other|specified|NOS|NEC|not elsewhere classified|right|left|bilateral|unilateral|"
    r"initial encounter|subsequent encounter|sequela|nontraumatic|first|second|third|any|part|type|site|sites|side|"
    r"organism|cause|trimester|eye|ear|and|or|multiple|uncomplicated)"
)
_FILLER_CLAUSE = re.compile(rf"\s*,\s*{_FILLER}(?:\s+{_FILLER})*(?=,|$)")
_FILLER_END = re.compile(r"\s+(?:NOS|NEC|not elsewhere classified)$")
_FILLER_START = re.compile(r"^(?:(?:other|unspecified|specified|and)\s+)+(?:forms? of\s+)?", re.IGNORECASE)
_SIDE = re.compile(r"\b(of|to|at|in) (?:the )?(?:left|right) ")
_CLAUSE = re.compile(
    r"(?:[,;:]|\s+(?:with|without|due to|in|associated with|following|complicating|affecting|involving|caused by|"
    r"related to|as|during|by|of unspecified|of other|on|from|and other|or other)\b).*$"
)
_QUALIFIER = re.compile(
    r"^(?:(?:acute|subacute|chronic|recurrent|classical|localized|generalized|simple|idiopathic|primary|secondary|mild|"
    r"moderate|severe|left|right|bilateral|unilateral|single|multiple|adult|age-related|juvenile|spontaneous|"
    r"drug-induced|nontraumatic|traumatic|incarcerated|strangulated|irreducible|essential|simple|benign)\s+)+",
    re.IGNORECASE,
)
_UNWRITTEN = re.compile(r"[,;:]|\b(?:unspecified|other|specified|classified)\b", re.IGNORECASE)
"""Marks of a phrase that classifies; no text about a patient holds it."""
_CANCER = re.compile(r"^(?:primary )?malignant (?:neoplasms?|tumors?) of (?:the )?(.+)$", re.IGNORECASE)
_OF = re.compile(
    r"^(abscess|atresia|atrophy|calculus|carcinoma|dislocation|embolism|fracture|hemorrhage|hyperplasia|infarction|"
    r"infection|injury|laceration|neoplasm|obstruction|perforation|polyp|prolapse|rupture|sprain|stenosis|stricture|"
    r"thrombosis|torsion|tuberculosis|ulcer) of (?:the )?([a-z-]+(?: [a-z-]+)?)$",
    re.IGNORECASE,
)
_LOOSE_RANK = 10
"""More than any code is long: a text that a code names outright decides before one that was cut out of a phrase."""


def read_icd10cm(path: Path | str) -> tuple[str, dict[str, list[str]]]:
    """The release (a year) and, for each code of a tabular list (XML), its description and inclusion terms.

    Raises `InputError` where the file is missing, no XML, or without codes.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; it should be the tabular list of ICD-10-CM") from error
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: truncated or invalid XML ({error})") from error
    codes = {_text(item.find("name")): _phrases(item) for item in root.iter("diag")}
    if not codes:
        raise InputError(f"{path}: holds no <diag>; it should be the tabular list of ICD-10-CM")
    return _text(root.find("version")) or "(no version given)", codes


def _phrases(item: ElementTree.Element) -> list[str]:
    return [_text(item.find("desc")), *map(_text, item.findall("inclusionTerm/note"))]


def _text(element: ElementTree.Element | None) -> str:
    return " ".join((element.text or "").split()) if element is not None else ""


def entries(codes: Mapping[str, list[str]]) -> Iterator[Entry]:
    """What every code contributes to the lexicon. Those without a specialty, too: their texts are not terms."""
    branches = read_branches(MAPPINGS / "icd10cm_block_to_specialty.tsv")
    for code, phrases in codes.items():
        if code[0] not in _CAUSES:
            yield from _entries_of(code, phrases, code_specialties(code, branches))


def _entries_of(code: str, phrases: list[str], found: tuple[str, ...]) -> Iterator[Entry]:
    kind, secondary = _KINDS.get(code[0], "disorder"), code[0] in _SECONDARY
    forms: dict[str, bool] = {}
    for text, loose in (form for phrase in phrases for form in written_forms(phrase)):
        forms[text] = loose and forms.get(text, True)
    for text, loose in forms.items():
        if not (loose and secondary):
            rank = len(code) + _LOOSE_RANK * loose
            yield Entry(text, found, kind, f"ICD10CM:{code}", "icd10cm", rank=rank, loose=loose, secondary=secondary)


def code_specialties(code: str, branches: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Specialties of the narrowest branch that holds a code: a prefix (``A17*``) before a range (``A00-B99``)."""
    prefixes, ranges = _branches(tuple(branches))
    for length in range(len(code), 2, -1):
        if code[:length] in prefixes:
            return branches[f"{code[:length]}*"]
    holding = [(low, high) for low, high in ranges if low <= code[:3] <= high]
    if not holding:
        return ()
    # Of two ranges that hold a code, the narrower starts later or, starting together, ends earlier.
    low, high = max(holding, key=lambda bounds: (bounds[0], [-ord(letter) for letter in bounds[1]]))
    return branches[f"{low}-{high}"]


@cache
def _branches(names: tuple[str, ...]) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    prefixes = frozenset(name.removesuffix("*") for name in names if name.endswith("*"))
    bounds = (name.partition("-") for name in names if not name.endswith("*"))
    return prefixes, tuple((low, high) for low, _, high in bounds)


def written_forms(phrase: str) -> Iterator[tuple[str, bool]]:
    """What people write for a phrase of the tabular list, and whether that is wider than the phrase (loose).

    Without fillers and asides it is the same thing: ``Cholera, unspecified`` -> ``Cholera``. Without its trailing
    clause or leading qualifier it is wider: ``Acute pancreatitis without necrosis`` -> ``Acute pancreatitis``,
    ``pancreatitis``. What stands in brackets is another name: ``Chondrocostal junction syndrome [Tietze]``.
    """
    names = [_ASIDE.sub("", phrase), *(name for name in _BRACKETED.findall(phrase) if name.isupper())]
    for name in names:
        exact = _SIDE.sub(r"\1 ", _without_fillers(name))
        cut = _without_fillers(_CLAUSE.sub("", exact))
        yield from ((form, True) for form in _reworded(_QUALIFIER.sub("", cut)))
        yield from ((form, True) for form in _reworded(cut))
        if not _UNWRITTEN.search(exact):
            yield from ((form, False) for form in _reworded(exact))


def _without_fillers(phrase: str) -> str:
    return _FILLER_START.sub("", _FILLER_END.sub("", _FILLER_CLAUSE.sub("", phrase))).strip()


def _reworded(phrase: str) -> Iterator[str]:
    """A phrase and the other orders in which it is written: ``Fracture of femur``, ``femur fracture``."""
    yield phrase
    if cancer := _CANCER.match(phrase):
        yield from (f"{cancer[1]} cancer", f"cancer of the {cancer[1]}", f"{cancer[1]} carcinoma")
    if of := _OF.match(phrase):
        yield f"{of[2]} {of[1]}"
