"""The 15 canonical specialties of S-MedQA. Nothing else knows how a specialty is spelled."""

import re

from .errors import InputError, nearest

SPECIALTIES: tuple[str, ...] = (
    "Cardiology",
    "Dermatology",
    "Emergency medicine",
    "Endocrinology",
    "Gastroenterology",
    "Hematology",
    "Infectious diseases",
    "Nephrology",
    "Neurology",
    "Obstetrics and gynecology",
    "Orthopedics",
    "Pediatrics",
    "Psychiatry",
    "Respiratory medicine",
    "Rheumatology",
)

_ALIASES: dict[str, str] = {
    "cardiac": "Cardiology",
    "cardiovascular medicine": "Cardiology",
    "skin": "Dermatology",
    "emergency": "Emergency medicine",
    "endocrinology and metabolism": "Endocrinology",
    "gastroenterology and hepatology": "Gastroenterology",
    "hepatology": "Gastroenterology",
    "haematology": "Hematology",
    "infectious disease": "Infectious diseases",
    "infectiology": "Infectious diseases",
    "renal medicine": "Nephrology",
    "gynaecology and obstetrics": "Obstetrics and gynecology",
    "gynecology and obstetrics": "Obstetrics and gynecology",
    "obstetrics and gynaecology": "Obstetrics and gynecology",
    "obgyn": "Obstetrics and gynecology",
    "gynecology": "Obstetrics and gynecology",
    "obstetrics": "Obstetrics and gynecology",
    "orthopaedics": "Orthopedics",
    "orthopedic surgery": "Orthopedics",
    "paediatrics": "Pediatrics",
    "pulmonology": "Respiratory medicine",
    "pneumology": "Respiratory medicine",
    "respiratory": "Respiratory medicine",
}


def _fold(name: str) -> str:
    return " ".join(re.findall(r"[a-z]+", name.casefold().replace("&", " and ").replace("/", " ")))


_BY_FOLD = {_fold(name): name for name in SPECIALTIES} | {_fold(k): v for k, v in _ALIASES.items()}


def slug(specialty: str) -> str:
    """The specialty's name in paths and targets: ``Obstetrics and gynecology`` -> ``obstetrics-and-gynecology``."""
    return _fold(specialty).replace(" ", "-")


_BY_SLUG = {slug(name): name for name in SPECIALTIES}


def find(name: str) -> str | None:
    """The canonical name of a name, slug or alias, whatever its case; None where it is no specialty."""
    return _BY_FOLD.get(_fold(name))


def canonical(name: str) -> str:
    """Like `find`, but raises `InputError` naming the nearest specialty."""
    found = find(name)
    if found is None:
        raise InputError(f"unknown specialty {name!r}{nearest(name, SPECIALTIES)}")
    return found


def from_slug(text: str) -> str:
    """The canonical name behind a slug. Raises `InputError`."""
    if text not in _BY_SLUG:
        raise InputError(f"unknown specialty {text!r}{nearest(text, _BY_SLUG)}")
    return _BY_SLUG[text]
