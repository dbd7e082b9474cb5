"""Base class and types that all parts of the configuration share."""

from collections.abc import Iterator
from pathlib import Path
import re
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..core import specialties

_LARGEST = 2**32
_SMALLEST = 1e-12
_LONGEST_FILE_NAME = 255
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=100)]
"""A name that becomes part of paths, targets and columns."""


def _any_specialty(name: str, info: ValidationInfo) -> str:
    declared = (info.context or {}).get("further_specialties")
    # A job reads one part of a configuration that was checked as a whole.
    return name if declared is None else specialties.canonical_or_declared(name, declared)


AnySpecialty = Annotated[str, AfterValidator(_any_specialty)]
"""One of the fifteen in any of its spellings, or one that `dataset.further_specialties` declares."""
RESERVED = ("base", "all")
"""Names, in tables and paths, of the model without an adapter and of the whole test set."""
Fraction = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""A seed that both torch and numpy accept."""


def _not_empty(values: list[Any]) -> list[Any]:
    if not values:
        raise ValueError("is empty; name at least one")
    return values


def _unique(values: list[Any]) -> list[Any]:
    doubled = [value for i, value in enumerate(values) if value in values[:i]]
    if doubled:
        raise ValueError(f"contains duplicates: {', '.join(map(repr, doubled))}")
    return values


Unique = AfterValidator(_unique)
"""For a list: values are unique."""
NamedOnce = AfterValidator(lambda values: _unique(_not_empty(values)))
"""For a list: at least one value, and all unique."""


def _one_line(text: str) -> str:
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("one line of text, not empty, without blanks around it")
    return text


def _path(value: Any) -> Any:
    text = str(value) if isinstance(value, str | Path) else "."
    if not text.strip() or not text.isprintable():
        raise ValueError("a path on one line; it is empty or has control characters")
    if re.search(r"[{}]", text):
        raise ValueError("Snakemake takes { and } in a path for a wildcard; rename the file or folder")
    if text.startswith(("~", "-")):
        raise ValueError(
            f"a path that starts with {text[0]} means something else to programs; write it in full, or with ./"
        )
    if any(len(part.encode()) > _LONGEST_FILE_NAME for part in Path(text).parts):
        raise ValueError(f"a file name longer than {_LONGEST_FILE_NAME} bytes, which file systems do not have")
    return value


OneLine = Annotated[str, AfterValidator(_one_line)]
"""A name that others gave: a column, a model on a server."""
UserPath = Annotated[Path, BeforeValidator(_path)]
"""A file or folder of the user."""
HubId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)?$", max_length=96)]
"""The id of a model or data set on the Hugging Face hub."""


class Section(BaseModel):
    """A part of the configuration. Unknown keys are errors, and so are values that nothing could mean."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _of_its_kind(cls, given: Any) -> Any:
        """Refuse truth values where numbers or texts are meant, and texts that no file can hold."""
        for name, field in cls.model_fields.items() if isinstance(given, dict) else ():
            value = given.get(name)
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, bool) and bool not in _types(field.annotation):
                    raise ValueError(f"{name}: {item} is a truth value; YAML takes yes, no, on and off for one too")
                if isinstance(item, str) and re.search("[\ud800-\udfff\x00]", item):
                    raise ValueError(f"{name}: a text with half a character or a zero byte, which no file can hold")
        return given

    @field_validator("*", mode="after")
    @classmethod
    def _of_its_size(cls, value: Any) -> Any:
        """Refuse numbers that overflow somewhere, or that are nothing."""
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int | float) and not isinstance(item, bool):
                if abs(item) > _LARGEST:
                    raise ValueError(f"larger than {_LARGEST}, the largest number that can be meant")
                if 0 < abs(item) < _SMALLEST:
                    raise ValueError(f"smaller than {_SMALLEST:g}, the smallest number that can be meant; 0 is none")
        return value


def _types(annotation: Any) -> Iterator[Any]:
    """All types that an annotation names."""
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)
