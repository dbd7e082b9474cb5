"""The 15 canonical specialties of S-MedQA. Spellings of specialties are defined only here."""

from collections.abc import Collection, Iterable
from functools import cache
import re
import unicodedata

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

_ALIASES: dict[str, tuple[str, ...]] = {
    "Cardiology": ("cardiac", "cardiologist", "cardiovascular", "cardiovascular medicine", "cardiovascular diseases"),
    "Dermatology": ("dermatologist", "skin"),
    "Emergency medicine": ("emergency", "emergency department", "emergency room", "emergency physician"),
    "Endocrinology": ("endocrinologist", "endocrine", "endocrinology and metabolism", "endocrinology and diabetes"),
    "Gastroenterology": ("gastroenterologist", "gastroenterology and hepatology", "hepatology", "hepatologist"),
    "Hematology": (
        "haematology",
        "haematologist",
        "hematologist",
        "hematology and oncology",
        "haematology and oncology",
    ),
    "Infectious diseases": ("infectious disease", "infectious diseases specialist", "infectiology", "infectiologist"),
    "Nephrology": ("nephrologist", "renal", "renal medicine"),
    "Neurology": ("neurologist", "neurological"),
    "Obstetrics and gynecology": (
        *("gynaecology", "gynaecologist", "gynecology", "gynecologist", "obstetrics", "obstetrician"),
        *("gynaecology and obstetrics", "gynecology and obstetrics", "obstetrics and gynaecology"),
        *("obgyn", "ob gyn", "ob and gyn", "obs and gynae", "o and g"),
    ),
    "Orthopedics": (
        *("orthopaedics", "orthopaedist", "orthopedist", "orthopaedic surgery", "orthopedic surgery"),
        *("orthopaedic surgeon", "orthopedic surgeon", "orthopaedic", "orthopedic"),
    ),
    "Pediatrics": ("paediatrics", "paediatrician", "pediatrician", "paediatric", "pediatric"),
    "Psychiatry": ("psychiatrist", "psychiatric"),
    "Respiratory medicine": (
        *("pulmonology", "pulmonologist", "pulmonary medicine", "pulmonary", "pneumology", "pneumologist"),
        *("respiratory", "respiratory diseases", "respiratory physician", "chest medicine"),
    ),
    "Rheumatology": ("rheumatologist",),
}
"""Other names of each specialty and of its practitioners, in lower case, for tables, experts and annotators."""


def fold(name: str) -> str:
    """A name as it is compared: words in lower case, `&` as "and", without accents, punctuation and digits."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z]+", letters.replace("&", " and ")))


def key(name: str) -> str:
    """A user's own name of a specialty as it is compared: without regard to case and blanks, and with all its signs."""
    return " ".join(name.casefold().split())


_BY_FOLD = {fold(other): name for name in SPECIALTIES for other in (name, *_ALIASES[name])}


def names() -> dict[str, str]:
    """Every name and alias in lower case, and the specialty that it means."""
    return dict(_BY_FOLD)


@cache
def slug(specialty: str) -> str:
    """The name of a specialty in paths and targets: ``Obstetrics and gynecology`` -> ``obstetrics-and-gynecology``."""
    return fold(specialty).replace(" ", "-")


def find(name: str) -> str | None:
    """The canonical name for a name, slug or alias in any case; None if it is not a specialty."""
    return _BY_FOLD.get(fold(name))


def with_others(found: Iterable[Collection[str]]) -> list[str]:
    """The fifteen in their order, then all other names in these lists by the alphabet."""
    return [*SPECIALTIES, *sorted({name for names in found for name in names} - set(SPECIALTIES))]


def canonical(name: str) -> str:
    """Like `find`, but raises an `InputError` that names the nearest specialty."""
    found = find(name)
    if found is None:
        raise InputError(f"unknown specialty {name!r}{nearest(name, SPECIALTIES)}")
    return found


def canonical_or_declared(name: str, declared: Collection[str]) -> str:
    """The canonical name, or else the declared one that is spelled so.

    Raises:
        InputError: With the nearest specialty, and how to declare one.
    """
    found = {key(other): other for other in declared}.get(key(name)) or find(name)
    if found is None:
        raise InputError(
            f"unknown specialty {name!r}{nearest(name, [*SPECIALTIES, *declared])}; "
            "declare one of your own in dataset.further_specialties"
        )
    return found
