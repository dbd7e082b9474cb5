"""The specialties that an annotator may choose from, and the names that each of them goes by."""

from collections.abc import Mapping, Sequence
from functools import cache
import re

from ..core import specialties
from ..core.errors import InputError, nearest

OTHERS = "Others"
"""What an annotator answers when no candidate fits."""

CANDIDATES: tuple[str, ...] = (
    "Allergology",
    "Anaesthetics",
    "Cardiology",
    "Child psychiatry",
    "Clinical biology",
    "Clinical chemistry",
    "Clinical microbiology",
    "Clinical neurophysiology",
    "Craniofacial surgery",
    "Dermatology",
    "Emergency medicine",
    "Endocrinology",
    "Family and general medicine",
    "Gastroenterologic surgery",
    "Gastroenterology",
    "General practice",
    "General surgery",
    "Geriatrics",
    "Hematology",
    "Immunology",
    "Infectious diseases",
    "Internal medicine",
    "Laboratory medicine",
    "Nephrology",
    "Neuropsychiatry",
    "Neurology",
    "Neurosurgery",
    "Nuclear medicine",
    "Obstetrics and gynecology",
    "Occupational medicine",
    "Oncology",
    "Ophthalmology",
    "Oral and maxillofacial surgery",
    "Orthopedics",
    "Otorhinolaryngology",
    "Pathology",
    "Pediatric surgery",
    "Pediatrics",
    "Pharmacology",
    "Physical medicine and rehabilitation",
    "Plastic surgery",
    "Podiatric surgery",
    "Preventive medicine",
    "Psychiatry",
    "Public health",
    "Radiation oncology",
    "Radiology",
    "Respiratory medicine",
    "Rheumatology",
    "Stomatology",
    "Thoracic surgery",
    "Tropical medicine",
    "Urology",
    "Vascular surgery",
    "Venereology",
)
"""The 55 of the study: specialties recognised in the European Union and a few more, among them the 15 of S-MedQA."""

_ALIASES: dict[str, str] = {
    "allergist": "Allergology",
    "allergy": "Allergology",
    "anaesthesia": "Anaesthetics",
    "anaesthesiology": "Anaesthetics",
    "anesthesia": "Anaesthetics",
    "anesthesiology": "Anaesthetics",
    "child and adolescent psychiatry": "Child psychiatry",
    "ear nose and throat": "Otorhinolaryngology",
    "ent": "Otorhinolaryngology",
    "family medicine": "Family and general medicine",
    "general medicine": "Family and general medicine",
    "geriatric medicine": "Geriatrics",
    "microbiology": "Clinical microbiology",
    "neurosurgeon": "Neurosurgery",
    "oncologist": "Oncology",
    "ophthalmologist": "Ophthalmology",
    "otolaryngology": "Otorhinolaryngology",
    "paediatric surgery": "Pediatric surgery",
    "radiation therapy": "Radiation oncology",
    "surgery": "General surgery",
    "urologist": "Urology",
    "psychology": "Psychiatry",
    "other": OTHERS,
    "none": OTHERS,
    "none of these": OTHERS,
    "none of the above": OTHERS,
}
"""Names of candidates beyond the 15, and of no candidate; those of the 15 are in `specialties`."""
_NOT_IN_PROSE = frozenset(
    {
        "allergy",
        "anaesthesia",
        "anesthesia",
        "cardiac",
        "cardiovascular",
        "cardiovascular diseases",
        "emergency",
        "emergency department",
        "emergency physician",
        "emergency room",
        "endocrine",
        "ent",
        "general medicine",
        "infectious disease",
        "microbiology",
        "neurological",
        "none",
        "none of the above",
        "none of these",
        "o and g",
        "orthopaedic",
        "orthopedic",
        "other",
        "others",
        "paediatric",
        "pathology",
        "pediatric",
        "pharmacology",
        "psychiatric",
        "psychology",
        "pulmonary",
        "radiation therapy",
        "renal",
        "respiratory",
        "respiratory diseases",
        "skin",
        "surgery",
    }
)
"""Folded names that ordinary sentences about a patient use; they count only where they are the whole answer."""


def candidates(
    named: Sequence[str] | None, declared: Sequence[str] = (), own: Mapping[str, str | None] | None = None
) -> list[str] | None:
    """What annotators choose from, by canonical name; None: the 55 of the study and nothing else.

    Args:
        named: The names that the configuration lists, in its order. None: the 55, and all that are declared.
        declared: The user's own specialties.
        own: The user's own names and what they mean; see `canonical`.

    Raises:
        InputError: An unknown or doubled name, or one that the user leaves out.
    """
    if named is None:
        kept = [name for name in CANDIDATES if not any(_fold(name) == _fold(other) for other in declared)]
        return [*kept, *declared] if declared else None
    found = [canonical(name, own) for name in named]
    for given, name in zip(named, found, strict=True):
        if name == OTHERS:
            raise InputError(f"dataset.annotation.candidates: {given!r} is {OTHERS}, which may always be answered")
        if found.count(name) > 1:
            raise InputError(f"dataset.annotation.candidates: {name!r} is there twice")
    return found


def canonical(name: str, own: Mapping[str, str | None] | None = None) -> str:
    """What a name or alias means, whatever its case.

    Args:
        name: A candidate, or another name of one.
        own: The user's own names (`specialties.key`), which come first; None: a specialty that is left out.

    Raises:
        InputError: Names the nearest one, and how to declare one.
    """
    if own and specialties.key(name) in own:
        return own[specialties.key(name)] or OTHERS
    found = find(name)
    if found is None:
        known = (*CANDIDATES, OTHERS, *filter(None, (own or {}).values()))
        raise InputError(
            f"unknown specialty {name!r}{nearest(name, known)}; declare one of your own in dataset.further_specialties"
        )
    return found


def find(name: str, own: tuple[str, ...] = ()) -> str | None:
    """The candidate that a text names, and says nothing else; None where it names none.

    Args:
        name: The text.
        own: The user's own specialties, which come before other meanings of their names.
    """
    return _by_fold(own).get(_fold(name))


def mentioned(text: str, own: tuple[str, ...] = ()) -> set[str]:
    """All candidates that a text mentions by a name that ordinary sentences do not use for something else.

    The user's ``own`` are all among them, whatever sentences use their names for.
    """
    return {_by_fold(own)[match.group()] for match in _prose(own).finditer(_fold(text))}


def around(text: str, own: tuple[str, ...] = ()) -> list[str]:
    """The words around all names that a text mentions, in lower case."""
    return _prose(own).split(_fold(text))


def is_cut_short(text: str, own: tuple[str, ...] = ()) -> bool:
    """Whether the last words of a text are a name that is also the start of another candidate's."""
    by_fold = _by_fold(own)
    words = _fold(text).split()
    for start in range(max(0, len(words) - 5), len(words)):
        end = " ".join(words[start:])
        label = by_fold.get(end)
        if label and any(name.startswith(f"{end} ") and other != label for name, other in by_fold.items()):
            return True
    return False


def _fold(name: str) -> str:
    """Words in lower case with letters alone, those of other scripts too: what is said around a name is part of it."""
    return " ".join(re.findall(r"[^\W\d_]+", name.casefold().replace("&", " and ")))


@cache
def _by_fold(own: tuple[str, ...] = ()) -> dict[str, str]:
    known = {_fold(name): name for name in (*CANDIDATES, OTHERS)} | specialties.names() | _ALIASES
    return known | {_fold(name): name for name in own}


@cache
def _prose(own: tuple[str, ...] = ()) -> re.Pattern[str]:
    used = _NOT_IN_PROSE - {_fold(name) for name in own}
    names = sorted((name for name in _by_fold(own) if name not in used), key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, names)) + r")\b")
