"""The specialties an annotator may choose from, and how its words are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
import json
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
    "cardiologist": "Cardiology",
    "child and adolescent psychiatry": "Child psychiatry",
    "dermatologist": "Dermatology",
    "ear nose and throat": "Otorhinolaryngology",
    "emergency department": "Emergency medicine",
    "emergency room": "Emergency medicine",
    "endocrinologist": "Endocrinology",
    "ent": "Otorhinolaryngology",
    "family medicine": "Family and general medicine",
    "gastroenterologist": "Gastroenterology",
    "general medicine": "Family and general medicine",
    "geriatric medicine": "Geriatrics",
    "gynaecology": "Obstetrics and gynecology",
    "gynecologist": "Obstetrics and gynecology",
    "gynecology": "Obstetrics and gynecology",
    "haematology": "Hematology",
    "hematologist": "Hematology",
    "hematology and oncology": "Hematology",
    "microbiology": "Clinical microbiology",
    "infectious disease": "Infectious diseases",
    "nephrologist": "Nephrology",
    "neurologist": "Neurology",
    "neurosurgeon": "Neurosurgery",
    "ob gyn": "Obstetrics and gynecology",
    "obgyn": "Obstetrics and gynecology",
    "obstetrician": "Obstetrics and gynecology",
    "obstetrics": "Obstetrics and gynecology",
    "oncologist": "Oncology",
    "ophthalmologist": "Ophthalmology",
    "orthopaedic surgery": "Orthopedics",
    "orthopaedics": "Orthopedics",
    "orthopedic surgery": "Orthopedics",
    "otolaryngology": "Otorhinolaryngology",
    "paediatric surgery": "Pediatric surgery",
    "paediatrics": "Pediatrics",
    "pediatrician": "Pediatrics",
    "psychiatrist": "Psychiatry",
    "psychology": "Psychiatry",
    "pulmonary medicine": "Respiratory medicine",
    "pulmonologist": "Respiratory medicine",
    "pulmonology": "Respiratory medicine",
    "radiation therapy": "Radiation oncology",
    "rheumatologist": "Rheumatology",
    "surgery": "General surgery",
    "urologist": "Urology",
    "other": OTHERS,
    "none": OTHERS,
    "none of these": OTHERS,
    "none of the above": OTHERS,
}
_NOT_IN_PROSE = frozenset(
    {
        "allergy",
        "anaesthesia",
        "anesthesia",
        "emergency department",
        "emergency room",
        "ent",
        "none",
        "none of the above",
        "none of these",
        "other",
        "others",
        "pathology",
        "pharmacology",
        "psychology",
        "radiation therapy",
        "surgery",
    }
)
"""Folded names that ordinary sentences about a patient use; they count only where they are the whole answer."""
_THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL | re.IGNORECASE)
_NAMED = re.compile(
    r"\b(?:clinical |medical )?(?:specialty|speciality|answer|category)\b(?: is)?[\s*_\"`]*[:=][ \t]*", re.IGNORECASE
)
_SAID = re.compile(r"\b(?:specialty|speciality|field|answer)\b[^.:\n]{0,30}? is ([^.,;\n]+)", re.IGNORECASE)
_FENCE = re.compile(r"```(?:json)?|```", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """What an answer says: one label, or an empty label and the problem with it."""

    label: str
    problem: str = ""


def check_candidates(names: Sequence[str]) -> tuple[str, ...]:
    """The canonical names of a candidate list, in its order. Raises `InputError` on an unknown or doubled name."""
    found = [canonical(name) for name in names]
    for name in found:
        if found.count(name) > 1:
            raise InputError(f"candidates name {name!r} twice")
    return tuple(found)


def canonical(name: str) -> str:
    """The candidate behind a name or alias, whatever its case. Raises `InputError` naming the nearest one."""
    found = _by_fold().get(specialties.fold(name)) or specialties.find(name)
    if found is None:
        raise InputError(f"unknown specialty {name!r}{nearest(name, (*CANDIDATES, OTHERS))}")
    return found


def read_answer(text: str, candidates: Sequence[str] = CANDIDATES, cut_off: bool = False) -> Reading:
    """Read an annotator's answer, however it is dressed.

    In this order: a JSON object with a specialty; what stands after the last ``Specialty:`` (or ``Answer:``); a text
    that is nothing but a name; "the field is" and a name; the one name that a sentence mentions. Two different names
    are a problem, not a choice. A label outside ``candidates`` and `OTHERS` is unknown. ``cut_off`` says that the
    server stopped at its token limit.
    """
    plain = _FENCE.sub(" ", _THOUGHTS.sub(" ", text)).strip()
    if not plain:
        return Reading("", "cut off before an answer" if cut_off else "empty")
    reading = _read(plain, frozenset((*candidates, OTHERS)))
    if not reading.label and cut_off:
        return Reading("", f"cut off: {reading.problem}")
    return reading


def _read(text: str, allowed: frozenset[str]) -> Reading:
    named = _in_json(text) or _after_marker(text)
    said = [] if named else [match.group(1) for match in _SAID.finditer(text)]
    for part in ([named] if named else []) + _lines(text) + said:
        whole = _whole(part)
        if whole in allowed:
            return Reading(whole)
    found = sorted(_in_prose(named or text) & allowed)
    if len(found) == 1:
        return Reading(found[0])
    if found:
        return Reading("", f"several labels: {', '.join(found[:4])}{', ...' if len(found) > 4 else ''}")
    return Reading("", f"unknown label {named[:60]!r}" if named else "no label in the answer")


def _lines(text: str) -> list[str]:
    """The text itself where it is a single line: only then may a bare name be the whole answer."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines if len(lines) == 1 else []


def _in_json(text: str) -> str:
    start, end = text.find("{"), text.rfind("}")
    if not 0 <= start < end:
        return ""
    try:
        value = json.loads(text[start : end + 1])
    except ValueError:
        return ""
    for key in ("specialty", "answer", "label", "category"):
        for name, content in value.items() if isinstance(value, dict) else ():
            if name.casefold() == key:
                return ", ".join(map(str, content)) if isinstance(content, list) else str(content or "")
    return ""


def _after_marker(text: str) -> str:
    """The first line with words after the last ``Specialty:``."""
    marks = list(_NAMED.finditer(text))
    rest = text[marks[-1].end() :] if marks else ""
    return next((line.strip() for line in rest.splitlines() if re.search(r"\w", line)), "")


def _whole(text: str) -> str:
    folded = specialties.fold(re.sub(r"^[\s\W\d]+", "", text))
    return _by_fold().get(folded) or specialties.find(folded) or ""


def _in_prose(text: str) -> set[str]:
    return {_by_fold()[match.group()] for match in _prose().finditer(specialties.fold(text))}


@cache
def _by_fold() -> dict[str, str]:
    return {specialties.fold(name): name for name in (*CANDIDATES, OTHERS)} | _ALIASES


@cache
def _prose() -> re.Pattern[str]:
    names = sorted((name for name in _by_fold() if name not in _NOT_IN_PROSE), key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, names)) + r")\b")
